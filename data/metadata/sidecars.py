"""Sidecars: files of XMP beside pictures, where many programs keep dates, titles and keywords.

`IMG_1.jpg.xmp` belongs to `IMG_1.jpg`, and so does `IMG_1.xmp`, which other files of that name may share.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from data.metadata import dates
from data.metadata.embedded import Metadata, cleaned
from data.metadata.xmp import MOST_BYTES, parse_xmp, read_properties
from data.paths import display
from data.records import PictureText, Position

_ENDS = (".xmp", ".XMP")
_RANKS = list(dates.SOURCES)


class Sidecar(NamedTuple):
    """A sidecar on disk: its path, size in bytes and time of change in nanoseconds."""

    path: Path
    size: int
    mtime_ns: int


def sidecars_of(path: Path, siblings: Collection[str] | None = None) -> tuple[Sidecar, ...]:
    """Return the sidecars of the picture file at `path`, the one with its whole name first.

    `siblings` are the names in its folder; without them the disk is asked for each name that a sidecar may have.
    """
    names = dict.fromkeys(stem + end for stem in (path.name, path.stem) for end in _ENDS)
    found: dict[tuple[int, int], Sidecar] = {}  # by inode: some disks know a file by both spellings
    for name in names:
        if siblings is None or name in siblings:
            try:
                status = os.stat(path.with_name(name))
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                sidecar = Sidecar(path.with_name(name), status.st_size, status.st_mtime_ns)
                found.setdefault((status.st_dev, status.st_ino), sidecar)
    return tuple(found.values())


def signature(sidecars: Sequence[Sidecar]) -> str | None:
    """Return a hash of names, sizes and times, 32 hexadecimal digits, None without sidecars."""
    if not sidecars:
        return None
    parts = [b"%s\0%d\0%d\0" % (os.fsencode(one.path.name), one.size, one.mtime_ns) for one in sidecars]
    return hashlib.blake2b(b"".join(parts), digest_size=16).hexdigest()


def with_sidecars(metadata: Metadata, sidecars: Iterable[Sidecar], now: datetime) -> tuple[Metadata, tuple[str, ...]]:
    """Return what a picture file and its sidecars say together, and a note on each sidecar that cannot be read.

    A sidecar counts as XMP that is in the file; its words come first.
    """
    moments, texts, notes, positions = list[str](), list[PictureText](), list[str](), list[Position]()
    for sidecar in sidecars:
        try:
            own = read_properties(parse_xmp(_content(sidecar)))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            notes.append(f"has a sidecar that is not read, {display(Path(sidecar.path.name))}: {reason}")
        else:
            moments += own.dates
            texts += own.texts
            positions += filter(None, [own.position])
    taken = next(filter(None, (dates.read_date(text, now) for text in moments)), None)
    part = dates.best_part(dates.read_part(text, now) for text in moments)
    source, taken = ("xmp", taken) if taken is not None else part or (None, None)
    known = metadata.taken_from
    if source is not None and (known is None or _RANKS.index(known) >= _RANKS.index(source)):
        metadata = metadata._replace(taken_at=taken, taken_from=source)
    if positions:  # programs write there what a person put right on a map
        metadata = metadata._replace(position=positions[0])
    return metadata._replace(texts=cleaned([*texts, *metadata.texts])), tuple(notes)


def _content(sidecar: Sidecar) -> bytes:
    """Return the bytes of a sidecar. Raises OSError, or ValueError for more than XMP has."""
    if sidecar.size <= MOST_BYTES:
        with sidecar.path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) <= MOST_BYTES:
            return content
    raise ValueError(f"it has {sidecar.size:,} bytes, the cap is {MOST_BYTES:,}")
