"""Fetch Flickr8k's public archives, unpack them safely and check that everything is there."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from data.errors import RetroflexError
from training.fetch import FetchError, fetch
from training.unpack import unpack

BASE_URL = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/"
ARCHIVES = ("Flickr8k_Dataset.zip", "Flickr8k_text.zip")
PICTURES = "Flicker8k_Dataset"
TOKENS = "Flickr8k.token.txt"
SPLITS = ("train", "dev", "test")


class DownloadError(RetroflexError):
    """The data set could not be fetched or is not whole; the message says what to do."""


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
    given one line a step. Raises DownloadError, whose message tells how to go on by hand.
    """
    if count(to) == expected:
        say(f"{to} is whole already")
        return expected
    try:
        to.mkdir(parents=True, exist_ok=True)
        _bring(to, say, base_url)
    except OSError as error:
        raise DownloadError(f"cannot write to {to}: {error.strerror or error}; free space or choose --to") from error
    _check(to, count(to), expected)
    for name in ARCHIVES:
        (to / name).unlink(missing_ok=True)
    return expected


def _bring(to: Path, say: Callable[[str], None], base_url: str) -> None:
    for name in ARCHIVES:
        archive = to / name
        if not archive.exists():
            say(f"fetching {base_url}{name}")
            _fetch(name, to, base_url)
        say(f"unpacking {name}")
        _unpack(archive, to)


def _fetch(name: str, to: Path, base_url: str) -> None:
    try:
        fetch(base_url + name, to / name)
    except FetchError as error:
        raise DownloadError(f"{error}\n{_by_hand(to, base_url)}") from error


def _unpack(archive: Path, to: Path) -> None:
    try:
        unpack(archive, to)
    except zipfile.BadZipFile as error:
        archive.unlink()
        raise DownloadError(f"{archive} is a damaged archive ({error}); it was removed, run again") from error


def _by_hand(to: Path, base_url: str) -> str:
    urls = "\n".join(f"  {base_url}{name}" for name in ARCHIVES)
    return (
        f"To do it by hand, fetch on a machine with network:\n{urls}\n"
        f"put both files, still packed, into {to.absolute()} and run this command again: it unpacks and checks them.\n"
        "Running again with a network resumes what was fetched so far."
    )


def count(folder: Path) -> Counts:
    """Count what `folder` holds of the original layout; what is missing counts 0."""
    pictures = folder / PICTURES
    found = sum(1 for path in pictures.iterdir() if path.suffix == ".jpg") if pictures.is_dir() else 0
    splits = (_lines(folder / f"Flickr_8k.{split}Images.txt") for split in SPLITS)
    return Counts(found, _lines(folder / TOKENS), *splits)


def _lines(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _check(to: Path, found: Counts, expected: Counts) -> None:
    have, want = asdict(found), asdict(expected)
    wrong = [f"{have[name]:,} {name} instead of {want[name]:,}" for name in want if have[name] != want[name]]
    if wrong:
        raise DownloadError(f"{to} is not whole: it holds {', '.join(wrong)}; empty the folder and run again")
