"""Logs, metrics, and one id per request."""
