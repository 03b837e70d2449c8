"""Files that could not be indexed, as rows of the store."""

from __future__ import annotations

from data.errors import PictureError, PictureUnreadable
from data.records import FileRow, SkipRow
from data.scan import FoundFile

NEVER = -1
"""A time of change that no file has: what is skipped with it is tried again each time."""


def skip_row(path: bytes, file: FoundFile | FileRow, error: PictureError) -> SkipRow:
    """Return the row of a file that is left out for an error."""
    # A change of permissions, or a decoder that lives, changes no modification time: such a file is tried each time.
    mtime_ns = NEVER if isinstance(error, PictureUnreadable) else file.mtime_ns
    return SkipRow(path, file.size, mtime_ns, str(error))
