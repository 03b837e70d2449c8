"""Temporary folders that do not outlive their process for long: what a killed one left is swept at the next start."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_path

PREFIX = "retroflex-"
OWNER = "owner.lock"
"""A file in each folder, locked by the process that made the folder, and by those forked from it, until they end."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder that is removed on leaving; remove those of processes that were killed. Raises OSError."""
    sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Locked before it has its name: a sweep between both would take the folder for abandoned.
        with (folder / "new.lock").open("wb") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            os.rename(folder / "new.lock", folder / OWNER)
            yield folder


def sweep() -> None:
    """Remove the temporary folders of this account whose process has ended, and no others."""
    with suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with suppress(OSError):
                _remove_if_abandoned(folder)


def private_folder(name: str) -> Path:
    """Return a folder for files of this account's processes, the same for all of them. Raises OSError.

    Where another account has taken its name among the temporary folders, it is among the account's caches.
    """
    folder = Path(tempfile.gettempdir()) / f".{PREFIX}{name}-{os.getuid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_ours(folder):
            return folder
    folder = user_cache_path("retroflex") / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _remove_if_abandoned(folder: Path) -> None:
    if not _is_ours(folder):
        return
    # Opened for reading, so that nothing is made in folders of other programs or of older releases.
    with (folder / OWNER).open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)


def _is_ours(folder: Path) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
