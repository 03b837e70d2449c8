"""Copies of pictures, exact and near, and which of them a person wants to keep."""
