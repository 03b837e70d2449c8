"""Unpack a zip archive that a stranger made: nothing is written outside the folder, nor without end."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from tqdm import tqdm

MAX_BYTES = 8 * 2**30


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Unpack `archive` into `folder`, file by file; files that are there with the right size are kept.

    Raises zipfile.BadZipFile for a damaged archive, one with a member that leaves the folder or is a link,
    or one that unpacks to more than `max_bytes`; nothing has been written then, but for damage within a
    member. Every file appears whole or not at all.
    """
    with zipfile.ZipFile(archive) as packed:
        members = [one for one in packed.infolist() if not one.is_dir() and not _is_clutter(one.filename)]
        _check(members, max_bytes)
        for member in tqdm(members, desc=f"unpacking {archive.name}", unit="file", disable=None):
            target = folder / member.filename
            if not target.exists() or target.stat().st_size != member.file_size:
                _write(packed, member, target)


def _check(members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    for member in members:
        if not _is_inside(member.filename):
            raise zipfile.BadZipFile(f"member {member.filename!r} would be written outside the folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise zipfile.BadZipFile(f"member {member.filename!r} is a link")
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise zipfile.BadZipFile(f"it unpacks to {total:,} bytes, the cap is {max_bytes:,}")


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name


def _is_clutter(name: str) -> bool:
    """Folders that macOS adds to the archives it packs."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name == ".DS_Store"


def _write(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".part")
    try:
        with packed.open(member) as source, temporary.open("wb") as out:
            shutil.copyfileobj(source, out)
        os.replace(temporary, target)
    except (zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        # What zipfile lets through for broken deflate streams, encryption and methods it does not know.
        raise zipfile.BadZipFile(f"member {member.filename!r} cannot be unpacked: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
