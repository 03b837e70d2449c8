"""What can be wrong with a captioner's files."""

from __future__ import annotations

from data.errors import RetroflexError


class BundleError(RetroflexError):
    """A bundle is missing, damaged, or does not fit together; the message says which and what to do."""
