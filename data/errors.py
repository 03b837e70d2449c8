"""The base of every error that a person gets to read."""

from __future__ import annotations


class RetroflexError(Exception):
    """Something went wrong that a person can act on; the message is one line: what, why, what to do."""
