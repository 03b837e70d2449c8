"""The base of all errors that users read."""

from __future__ import annotations


class RetroflexError(Exception):
    """An error that the user can act on. The message is one line: what, why, what to do."""
