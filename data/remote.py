"""Pictures in stores of objects such as S3, reached by fsspec: their paths, their files and their bytes.

A file at s3://bucket/folder/name has the path s3:/bucket/folder/name. No file on a disk has that, as their paths are
absolute. Only addresses that are typed on the command line, and what is found below them, become such paths.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from data.errors import PictureTooLarge, PictureUnreadable, RetroflexError, one_line
from data.paths import absolute, display

INSTALL = "pip install 'retroflex[cluster]'"
SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs", "memory": "fsspec"}
"""The package that reads each kind of store."""
_REMOTE = re.compile(rf"({'|'.join(SCHEMES)}):/(.+)", re.DOTALL)
_CHANGED = ("LastModified", "last_modified", "mtime", "updated", "created")
_TAGS = ("ETag", "etag", "md5Hash")
_BILLION = 10**9


class RemoteFile(NamedTuple):
    """A file in a store: its path, bytes, and a time of change in nanoseconds that differs where its content does."""

    path: Path
    size: int
    mtime_ns: int


def is_remote(path: Path) -> bool:
    """Return whether a path is that of a store."""
    return _REMOTE.fullmatch(str(path)) is not None


def located(path: Path) -> Path:
    """Return `path` as the library keeps it: absolute, or that of a store."""
    return path if is_remote(path) else absolute(path)


def address(path: Path) -> str:
    """Return the address of a path in a store."""
    return display(path).replace(":/", "://", 1)


def is_there(path: Path) -> bool:
    """Return whether a folder or file is in a store. Raises RetroflexError if the store cannot be asked."""
    system, name = _opened(path)
    try:
        return bool(system.exists(name))
    except Exception as error:  # each store has its own
        raise _unreachable(path, error) from error


def remote_files(root: Path) -> Iterator[RemoteFile]:
    """Yield all files at or below a path in a store, in no order. Raises RetroflexError if they cannot be listed."""
    system, name = _opened(root)
    try:
        found = system.find(name, detail=True)
    except Exception as error:
        raise _unreachable(root, error) from error
    scheme = str(root).partition(":")[0]
    for key, facts in found.items():
        path = Path(f"{scheme}:/{key}")
        # A key may have parts that no path keeps, such as // and a slash at its end.
        if str(path) == f"{scheme}:/{key.removeprefix('/')}" and ".." not in path.parts:
            yield RemoteFile(path, int(facts["size"] or 0), _changed(facts))


def read_remote(path: Path, most: int) -> bytes:
    """Return the bytes of a file in a store, at most `most` and one. Raises PictureUnreadable or PictureTooLarge."""
    try:
        system, name = _opened(path)
        size = int(system.info(name)["size"])
        if size > most:
            raise PictureTooLarge(f"has {size:,} bytes, the cap is {most:,}")
        return bytes(system.cat_file(name, start=0, end=most + 1))
    except PictureTooLarge:
        raise
    except Exception as error:
        raise PictureUnreadable(f"cannot be read: {one_line(error)}") from error


def _opened(path: Path) -> tuple[Any, str]:
    """Return the store of a path, and its name there. Raises RetroflexError where a package for it is missing."""
    found = _REMOTE.fullmatch(str(path))
    assert found is not None
    scheme, name = found.groups()
    for package, hint in (("fsspec", INSTALL), (SCHEMES[scheme], f"pip install {SCHEMES[scheme]}")):
        if find_spec(package) is None:
            raise RetroflexError(f"{address(path)} needs {package}: {hint}")
    import fsspec

    try:
        return fsspec.filesystem(scheme, use_listings_cache=False), name
    except Exception as error:
        raise _unreachable(path, error) from error


def _unreachable(path: Path, error: Exception) -> RetroflexError:
    return RetroflexError(f"cannot list {address(path)}: {one_line(error)}; check its name and your credentials")


def _changed(facts: dict[str, Any]) -> int:
    """Return the time of change in nanoseconds; where there is a tag of the content, it takes the part of a second."""
    value = next((facts[key] for key in _CHANGED if facts.get(key) is not None), 0)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = value.replace(tzinfo=value.tzinfo or UTC).timestamp()
    tag = next((str(facts[key]) for key in _TAGS if facts.get(key)), None)
    if tag is None:
        return int(value * _BILLION)
    part = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8], "big") % _BILLION
    return int(value) * _BILLION + part
