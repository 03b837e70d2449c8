"""Paths as bytes for the store and as clean text for people.

A file name on Linux is any run of bytes without NUL and slash: it may hold newlines and need not be UTF-8.
"""

from __future__ import annotations

import os
from pathlib import Path


def to_bytes(path: Path) -> bytes:
    """Return `path` as the bytes that the file system has."""
    return os.fsencode(path)


def from_bytes(path: bytes) -> Path:
    """Return the Path of `path`; the inverse of `to_bytes`."""
    return Path(os.fsdecode(path))


def absolute(path: Path) -> Path:
    """Return `path` absolute, "~" and ".." resolved, links kept: the form that the store keeps."""
    return Path(os.path.abspath(path.expanduser()))


def display(path: Path) -> str:
    r"""Return `path` as one line of valid UTF-8: control characters as \n or \x1b, stray bytes as \xff."""
    return clean_text(to_bytes(path))


def clean_text(path: bytes) -> str:
    """Return the same text for a path as the store keeps it."""
    text = path.decode("utf-8", errors="backslashreplace")
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
