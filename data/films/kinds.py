"""Which files are films: by suffix, by their first bytes, and GIF and WebP by whether they move."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import IO

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
"""Of films, in lower case; animated GIF and WebP are told from pictures by their content."""
MOVING_SUFFIXES = frozenset({".gif", ".webp"})
INSTALL = "pip install '.[video]'"
"""What makes films readable."""
HEAD = 64
CONTAINERS = {"mov": "MP4", "matroska": "Matroska", "avi": "AVI", "gif": "GIF", "webp": "WEBP"}
"""The names of formats as people know them, by what `container_of` returns."""
FILM_BRANDS = frozenset(
    {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V ", b"M4VH"}
    | {b"M4VP", b"3gp4", b"3gp5", b"3gp6", b"3g2a", b"MSNV", b"XAVC", b"iso3", b"iso6", b"dash"}
)
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp"})
"""Of which no file is opened to find out."""
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def can_read_films() -> bool:
    """Return whether the library that reads films is installed; it is not loaded."""
    return find_spec("av") is not None


def container_of(head: bytes) -> str | None:
    """Return by its first HEAD bytes which container a file is, a key of CONTAINERS; None for none of them.

    FFmpeg is told which one, and guesses nothing: some of its formats are lists of other files and addresses.
    """
    if head[4:8] in _BOXES:
        return "mov"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "webp" if head.startswith(b"RIFF") and head[8:12] == b"WEBP" else None


def format_name(container: str, suffix: str) -> str:
    """Return what a film's format is called; two suffixes tell more than the container does."""
    if container == "mov":
        return "MOV" if suffix.lower() == ".mov" else "MP4"
    return "WebM" if suffix.lower() == ".webm" and container == "matroska" else CONTAINERS[container]


def begins_like_film(path: Path) -> bool:
    """Return whether a regular file begins like a film, and like no picture; False if it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(HEAD)
    except OSError:
        return False
    return _is_head_of_film(head)


def is_film_content(content: bytes) -> bool:
    """Return whether a file's bytes are a film; a GIF or WebP that moves is one only where films can be read."""
    if container_of(content[:HEAD]) in ("gif", "webp"):
        return can_read_films() and _is_animated(BytesIO(content))
    return _is_head_of_film(content[:HEAD])


def _is_head_of_film(head: bytes) -> bool:
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    return container_of(head) in ("matroska", "avi") or brand in FILM_BRANDS


def is_film(path: Path) -> bool:
    """Return whether a file is a film: by its suffix, a GIF or WebP only if it is animated; False if unreadable.

    Where the suffix says nothing, its first bytes do.
    """
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return True
    if suffix not in MOVING_SUFFIXES:
        return suffix not in PICTURE_SUFFIXES and begins_like_film(path)
    try:
        with path.open("rb") as file:
            return _is_animated(file)
    except OSError:
        return False


def is_film_to_search(path: Path) -> bool:
    """Return whether a file is searched with as a film; a GIF or WebP that moves is, where films can be read."""
    return is_film(path) and (can_read_films() or path.suffix.lower() not in MOVING_SUFFIXES)


def _is_animated(file: IO[bytes]) -> bool:
    """Return whether a file is a GIF or WebP that moves. Raises OSError."""
    head = file.read(HEAD)
    try:
        if container_of(head) == "webp":
            return head[12:16] == b"VP8X" and bool(head[20] & 2)
        return container_of(head) == "gif" and _moves(file)
    except IndexError:
        return False


def _moves(file: IO[bytes]) -> bool:
    """Return whether a GIF has a second picture: its blocks are passed over, none is decoded."""
    file.seek(0)
    header = file.read(13)
    file.seek(3 * 2 ** ((header[10] & 7) + 1) if header[10] & 0x80 else 0, 1)
    return sum(1 for _, _ in zip(_pictures(file), range(2), strict=False)) == 2


def _pictures(file: IO[bytes]) -> Iterator[int]:
    """Yield the place of each picture in the blocks of a GIF."""
    while kind := file.read(1):
        if kind == b",":
            yield file.tell()
            flags = file.read(9)[8]
            file.seek((3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0) + 1, 1)
        elif kind == b"!":
            file.seek(1, 1)
        else:
            return
        while size := file.read(1):
            if size == b"\0":
                break
            file.seek(size[0], 1)
