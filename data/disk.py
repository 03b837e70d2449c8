"""Files that survive a kill and a power cut: written through to the disk, and put in place in one step."""

from __future__ import annotations

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Write a file or a folder through to the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Put a whole file in the place of another, or where there is none. Raises OSError."""
    flush(source)
    os.replace(source, target)
    flush(target.parent)


def replace_text(path: Path, content: str) -> None:
    """Replace a file's content in one step. Raises OSError."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(content, encoding="utf-8")
    move(beside, path)
