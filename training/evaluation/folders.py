"""Pictures to evaluate on without human captions: of a folder for each class, of any folder, or of a tar file."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from data.captioned import CaptionedPicture
from data.errors import RetroflexError, one_line
from data.limits import DEFAULT_LIMITS
from data.loading import SUFFIXES
from data.paths import display
from data.temporary import temporary_folder

Drawn = TypeVar("Drawn", Path, str)


@dataclass(frozen=True)
class Labelled:
    """`files` (n), each with the name of its class in `labels` (n)."""

    files: Sequence[Path]
    labels: Sequence[str]

    @property
    def classes(self) -> list[str]:
        """The names, sorted."""
        return sorted(set(self.labels))


def read_labelled(folder: Path, per_class: int | None, seed: int) -> Labelled:
    """Read `folder`, where each sub-folder is a class; draw `per_class` pictures of each by `seed`, None for all.

    Pictures may be at any depth of a class's folder; folders without pictures are skipped. Raise RetroflexError when
    there are fewer than two classes, or a class has one picture only.
    """
    if not folder.is_dir():
        raise RetroflexError(
            f"{display(folder)}: no such folder; give one that holds a folder of pictures for each class"
        )
    classes = {one.name: pictures_below(one) for one in sorted(folder.iterdir()) if one.is_dir()}
    classes = {name: files for name, files in classes.items() if files}
    if len(classes) < 2:
        raise RetroflexError(
            f"{display(folder)} has pictures in {len(classes)} of its folders; each class needs a folder, two at least"
        )
    for name, files in classes.items():
        if len(files) == 1:
            raise RetroflexError(f"class {name} of {display(folder)} has one picture; two or more are needed")
    random = np.random.default_rng(seed)
    drawn = {name: draw(files, per_class, random) for name, files in classes.items()}
    pairs = [(path, name) for name, files in drawn.items() for path in files]
    return Labelled([path for path, _ in pairs], [name for _, name in pairs])


def pictures_below(folder: Path) -> list[Path]:
    """Return the files at any depth of `folder` with a suffix of pictures, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def draw(files: list[Drawn], count: int | None, random: np.random.Generator) -> list[Drawn]:
    """Draw `count` of `files`, in their order; return all when it is None or there are no more."""
    if count is None or count >= len(files):
        return files
    return [files[index] for index in sorted(random.permutation(len(files))[:count])]


_TOO_LARGE = f"has more bytes than the cap of {DEFAULT_LIMITS.max_bytes:,}"
_BROKEN = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)


@contextmanager
def unlabelled_pictures(
    source: Path, count: int | None, seed: int
) -> Iterator[tuple[list[CaptionedPicture], list[str]]]:
    """Yield the pictures at any depth of `source`, without captions, or `count` of them drawn by `seed`, and problems.

    `source` is a folder or a tar file, compressed or not. Of a tar file only regular files with a suffix of pictures
    and within the size limit are unpacked, to a temporary folder that is deleted with the context. Raise RetroflexError
    when it is neither, is damaged, or has no picture.
    """
    if source.is_dir():
        files = draw(_not_empty(source, pictures_below(source)), count, np.random.default_rng(seed))
        yield [CaptionedPicture(display(path.relative_to(source)), path, []) for path in files], []
    elif source.is_file():
        with temporary_folder() as folder:
            yield _unpack(source, folder, count, seed)
    else:
        raise RetroflexError(f"{display(source)}: no such folder or tar file; give one of pictures")


def _unpack(source: Path, folder: Path, count: int | None, seed: int) -> tuple[list[CaptionedPicture], list[str]]:
    try:
        with tarfile.open(source) as archive:
            members = {display(Path(one.name)): one for one in archive if _is_picture(one)}
            drawn = draw(_not_empty(source, sorted(members)), count, np.random.default_rng(seed))
            problems = [f"{name} {_TOO_LARGE}" for name in drawn if members[name].size > DEFAULT_LIMITS.max_bytes]
            kept = [name for name in drawn if members[name].size <= DEFAULT_LIMITS.max_bytes]
            kept.sort(
                key=lambda name: members[name].offset
            )  # Going backwards would unpack a compressed file from the start.
            paths = [_write(archive, members[name], folder / str(number)) for number, name in enumerate(kept)]
    except _BROKEN as error:
        raise RetroflexError(f"{display(source)} cannot be read as a tar file: {one_line(error)}") from error
    return [CaptionedPicture(name, path, []) for name, path in zip(kept, paths, strict=True)], problems


def _is_picture(member: tarfile.TarInfo) -> bool:
    return member.isreg() and PurePosixPath(member.name).suffix.lower() in SUFFIXES


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> Path:
    stream = archive.extractfile(member)
    assert stream is not None  # A regular file has one.
    with stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file)
    return target


def _not_empty(source: Path, files: list[Drawn]) -> list[Drawn]:
    if not files:
        raise RetroflexError(f"{display(source)} has no pictures; they end in {', '.join(sorted(SUFFIXES))}")
    return files
