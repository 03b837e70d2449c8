"""Errors of a captioner's files."""

from __future__ import annotations

from data.errors import RetroflexError


class BundleError(RetroflexError):
    """A bundle is missing, damaged or inconsistent. The message says which, and what to do."""
