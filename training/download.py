"""Download Flickr8k: fetch the archives over HTTP, unpack them safely, check that all files are there."""

from __future__ import annotations

import http.client
import os
import shutil
import stat
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from data.dataset import CAPTION_FILE, PICTURE_FOLDER, SPLIT_FILES
from data.errors import RetroflexError
from data.paths import display
from data.progress import progress_bar

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 4
PAUSE_SECONDS = 1.0
BLOCK = 1 << 18


class FetchError(RetroflexError):
    """The file cannot be downloaded; the message says why."""


def fetch(url: str, target: Path, pause: float = PAUSE_SECONDS) -> None:
    """Download `url` to `target`, by way of `target.part`, so that `target` is never incomplete.

    Resume after a broken connection, with growing pauses of `pause` seconds, until four attempts in a row receive
    nothing. Raise FetchError, and OSError when the disk fails.
    """
    part = target.with_name(target.name + ".part")
    failures = 0
    while True:
        before = _size(part)
        try:
            _fetch_rest(url, part)
            os.replace(part, target)
            return
        except _Broken as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures >= ATTEMPTS:
                raise FetchError(f"cannot fetch {url}: {error}") from error
            time.sleep(pause * failures)


class _Broken(Exception):
    """The connection failed; another attempt may succeed."""


def _fetch_rest(url: str, part: Path) -> None:
    done = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        _refused(error, url, part)
        return
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error)) from error
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        with part.open("ab" if resumed else "wb") as out:
            _copy(response, out, done if resumed else 0)


def _refused(error: urllib.error.HTTPError, url: str, part: Path) -> None:
    """Return if the server's refusal means that `part` is complete; raise otherwise."""
    with error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if error.headers.get("Content-Range") == f"bytes */{_size(part)}":
                return
            part.unlink()
            raise _Broken("the file on the server has changed; starting again") from error
        if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Broken(f"the server answers {error.code} {error.reason}") from error
        raise FetchError(f"cannot fetch {url}: the server answers {error.code} {error.reason}") from error


def _copy(response: http.client.HTTPResponse, out: BinaryIO, done: int) -> None:
    length = response.headers.get("Content-Length")
    total = done + int(length) if length is not None else None
    with progress_bar(total=total, initial=done, unit="B", unit_scale=True, unit_divisor=1024, desc=_name(out)) as bar:
        while block := _read(response):
            out.write(block)
            bar.update(len(block))
            done += len(block)
    if total is not None and done < total:
        raise _Broken(f"the connection ended after {done:,} of {total:,} bytes")


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error)) from error


def _name(out: BinaryIO) -> str:
    return Path(out.name).name.removesuffix(".part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split())


MAX_BYTES = 8 * 2**30


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Unpack `archive` to `folder`; keep files that exist with the right size. Each file is written atomically.

    Raise zipfile.BadZipFile for a damaged archive, one with a member that leaves the folder or is a link, or one
    that unpacks to more than `max_bytes`. Nothing is written then, unless the damage is within a member.
    """
    with zipfile.ZipFile(archive) as packed:
        members = [one for one in packed.infolist() if not one.is_dir() and not _is_clutter(one.filename)]
        _check_members(members, max_bytes)
        for member in progress_bar(members, desc=f"unpacking {archive.name}", unit="file"):
            target = folder / member.filename
            if not target.exists() or target.stat().st_size != member.file_size:
                _write(packed, member, target)


def _check_members(members: list[zipfile.ZipInfo], max_bytes: int) -> None:
    for member in members:
        if not _is_inside(member.filename):
            raise zipfile.BadZipFile(f"member {member.filename!r} would be written outside the folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise zipfile.BadZipFile(f"member {member.filename!r} is a link")
    total = sum(member.file_size for member in members)
    if total > max_bytes:
        raise zipfile.BadZipFile(f"it unpacks to {total:,} bytes, the limit is {max_bytes:,}")


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name


def _is_clutter(name: str) -> bool:
    """Return whether it is a file that macOS adds to archives."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name == ".DS_Store"


def _write(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".part")
    try:
        with packed.open(member) as source, temporary.open("wb") as out:
            shutil.copyfileobj(source, out)
        os.replace(temporary, target)
    except (zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        # zipfile raises these for broken deflate streams, encryption and unknown methods.
        raise zipfile.BadZipFile(f"member {member.filename!r} cannot be unpacked: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


BASE_URL = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/"
ARCHIVES = ("Flickr8k_Dataset.zip", "Flickr8k_text.zip")


class DownloadError(RetroflexError):
    """The data set cannot be unpacked or is incomplete; the message says what to do."""


@dataclass(frozen=True)
class Counts:
    """The numbers of picture files, of caption lines, and of pictures in the list of each split."""

    pictures: int
    captions: int
    train: int
    dev: int
    test: int


FLICKR8K = Counts(pictures=8091, captions=40460, train=6000, dev=1000, test=1000)


def download_flickr8k(
    to: Path, say: Callable[[str], None], expected: Counts = FLICKR8K, base_url: str = BASE_URL
) -> Counts:
    """Download Flickr8k to the folder `to`, in its original layout, and return its counts.

    Existing files are kept: a complete copy is only counted, an archive in `to` is not fetched again, a partial one
    is resumed. The archives are deleted after the check. `say` gets a line for each step. Raise FetchError when the
    network fails, DownloadError for anything else.
    """
    if count(to) == expected:
        say(f"{display(to)} is already complete")
        return expected
    try:
        to.mkdir(parents=True, exist_ok=True)
        _fetch_and_unpack(to, say, base_url)
    except OSError as error:
        raise DownloadError(
            f"cannot write to {display(to)}: {error.strerror or error}; free space or choose --to"
        ) from error
    _check_counts(to, count(to), expected)
    for name in ARCHIVES:
        (to / name).unlink(missing_ok=True)
    return expected


def _fetch_and_unpack(to: Path, say: Callable[[str], None], base_url: str) -> None:
    for name in ARCHIVES:
        archive = to / name
        if not archive.exists():
            say(f"fetching {base_url}{name}")
            fetch(base_url + name, archive)
        say(f"unpacking {name}")
        _unpack(archive, to)


def _unpack(archive: Path, to: Path) -> None:
    try:
        unpack(archive, to)
    except zipfile.BadZipFile as error:
        archive.unlink()
        raise DownloadError(f"{display(archive)} is a damaged archive ({error}); it was removed, run again") from error


def by_hand(to: Path, base_url: str = BASE_URL) -> str:
    """Return instructions for fetching the archives by hand."""
    urls = "\n".join(f"  {base_url}{name}" for name in ARCHIVES)
    return (
        f"To do it by hand, download these files on a machine with a network:\n{urls}\n"
        f"Put both archives into {display(to.absolute())}\n"
        "and run this command again: it unpacks and checks them.\n"
        "With a network, running it again resumes the download."
    )


def count(folder: Path) -> Counts:
    """Count the files of the original layout in `folder`; what is missing counts 0."""
    pictures = folder / PICTURE_FOLDER
    files = sum(1 for path in pictures.iterdir() if path.suffix == ".jpg") if pictures.is_dir() else 0
    splits = {split: _lines(folder / name) for split, name in SPLIT_FILES.items()}
    return Counts(pictures=files, captions=_lines(folder / CAPTION_FILE), **splits)


def _lines(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _check_counts(to: Path, actual: Counts, expected: Counts) -> None:
    have, want = asdict(actual), asdict(expected)
    wrong = [f"{have[name]:,} {name} instead of {want[name]:,}" for name in want if have[name] != want[name]]
    if wrong:
        raise DownloadError(f"{display(to)} is incomplete: it has {', '.join(wrong)}; empty the folder and run again")
