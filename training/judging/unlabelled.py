"""Pictures of which nothing is known: those of a folder, or of a tar file."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import numpy as np

from data.captioned import CaptionedPicture
from data.errors import RetroflexError
from data.limits import DEFAULT_LIMITS
from data.paths import display
from data.pictures import SUFFIXES
from training.judging.labelled import Drawn, draw, pictures_below

_TOO_LARGE = f"has more bytes than the cap of {DEFAULT_LIMITS.max_bytes:,}"
_BROKEN = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)


@contextmanager
def unlabelled_pictures(
    source: Path, count: int | None, seed: int
) -> Iterator[tuple[list[CaptionedPicture], list[str]]]:
    """Give the pictures of `source` without captions, at any depth, or `count` of them drawn by `seed`, and problems.

    `source` is a folder or a tar file, compressed or not. Of a tar file only regular files that are named like pictures
    and within the cap are read; they lie in a temporary folder, under names of its own, for as long as the context
    lasts. Raises RetroflexError when it is neither, is damaged, or has no picture.
    """
    if source.is_dir():
        files = draw(_some(source, pictures_below(source)), count, np.random.default_rng(seed))
        yield [CaptionedPicture(display(path.relative_to(source)), path, []) for path in files], []
    elif source.is_file():
        with TemporaryDirectory(prefix="retroflex-") as folder:
            yield _unpack(source, Path(folder), count, seed)
    else:
        raise RetroflexError(f"{display(source)}: no such folder or tar file; give one of pictures")


def _unpack(source: Path, folder: Path, count: int | None, seed: int) -> tuple[list[CaptionedPicture], list[str]]:
    try:
        with tarfile.open(source) as archive:
            members = {display(Path(one.name)): one for one in archive if _is_picture(one)}
            drawn = draw(_some(source, sorted(members)), count, np.random.default_rng(seed))
            problems = [f"{name} {_TOO_LARGE}" for name in drawn if members[name].size > DEFAULT_LIMITS.max_bytes]
            kept = [name for name in drawn if members[name].size <= DEFAULT_LIMITS.max_bytes]
            kept.sort(key=lambda name: members[name].offset)  # Backwards, all of a compressed file is unpacked anew.
            paths = [_write(archive, members[name], folder / str(number)) for number, name in enumerate(kept)]
    except _BROKEN as error:
        raise RetroflexError(
            f"{display(source)} cannot be read as a tar file: {' '.join(str(error).split())}"
        ) from error
    return [CaptionedPicture(name, path, []) for name, path in zip(kept, paths, strict=True)], problems


def _is_picture(member: tarfile.TarInfo) -> bool:
    return member.isreg() and PurePosixPath(member.name).suffix.lower() in SUFFIXES


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> Path:
    stream = archive.extractfile(member)
    assert stream is not None  # A regular file has one.
    with stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file)
    return target


def _some(source: Path, found: list[Drawn]) -> list[Drawn]:
    if not found:
        raise RetroflexError(f"{display(source)} has no pictures; they end in {', '.join(sorted(SUFFIXES))}")
    return found
