"""Describing on many machines, by Ray."""
