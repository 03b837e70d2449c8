"""Fetch Flickr8k's public archives, unpack them safely and check that everything is there."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from data.dataset import CAPTION_FILE, PICTURE_FOLDER, SPLIT_FILES
from data.errors import RetroflexError
from data.paths import display
from training.download.fetch import fetch
from training.download.unpack import unpack

BASE_URL = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/"
ARCHIVES = ("Flickr8k_Dataset.zip", "Flickr8k_text.zip")


class DownloadError(RetroflexError):
    """The data set could not be unpacked or is not whole; the message says what to do."""


@dataclass(frozen=True)
class Counts:
    """How much a whole copy holds: picture files, caption lines, and pictures named by each split's list."""

    pictures: int
    captions: int
    train: int
    dev: int
    test: int


FLICKR8K = Counts(pictures=8091, captions=40460, train=6000, dev=1000, test=1000)


def download_flickr8k(
    to: Path, say: Callable[[str], None], expected: Counts = FLICKR8K, base_url: str = BASE_URL
) -> Counts:
    """Bring a whole Flickr8k into the folder `to`, in its original layout, and return what it holds.

    What is already there is kept: a whole copy is only counted, an archive that lies in `to` is not fetched
    again, a partial one is resumed. The archives are deleted once everything has been checked. `say` is
    given one line a step. Raises FetchError when the network fails, DownloadError for anything else.
    """
    if count(to) == expected:
        say(f"{display(to)} is whole already")
        return expected
    try:
        to.mkdir(parents=True, exist_ok=True)
        _bring(to, say, base_url)
    except OSError as error:
        raise DownloadError(
            f"cannot write to {display(to)}: {error.strerror or error}; free space or choose --to"
        ) from error
    _check(to, count(to), expected)
    for name in ARCHIVES:
        (to / name).unlink(missing_ok=True)
    return expected


def _bring(to: Path, say: Callable[[str], None], base_url: str) -> None:
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
    """Return the few lines that tell a person without network what to fetch where and where to put it."""
    urls = "\n".join(f"  {base_url}{name}" for name in ARCHIVES)
    return (
        f"To do it by hand, fetch on a machine with network:\n{urls}\n"
        f"put both files, still packed, into {display(to.absolute())}\n"
        "and run this command again: it unpacks and checks them.\n"
        "Running again with a network resumes what was fetched so far."
    )


def count(folder: Path) -> Counts:
    """Count what `folder` holds of the original layout; what is missing counts 0."""
    pictures = folder / PICTURE_FOLDER
    found = sum(1 for path in pictures.iterdir() if path.suffix == ".jpg") if pictures.is_dir() else 0
    splits = {split: _lines(folder / name) for split, name in SPLIT_FILES.items()}
    return Counts(pictures=found, captions=_lines(folder / CAPTION_FILE), **splits)


def _lines(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _check(to: Path, found: Counts, expected: Counts) -> None:
    have, want = asdict(found), asdict(expected)
    wrong = [f"{have[name]:,} {name} instead of {want[name]:,}" for name in want if have[name] != want[name]]
    if wrong:
        raise DownloadError(f"{display(to)} is not whole: it holds {', '.join(wrong)}; empty the folder and run again")
