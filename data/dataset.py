"""Read a data set of captioned pictures, either a folder in Flickr8k layout or a table of captions.

A Flickr8k folder holds `Flicker8k_Dataset/` (the pictures; the spelling is the original's), `Flickr8k.token.txt`
(lines of `name.jpg#number<TAB>caption`) and one `Flickr_8k.<split>Images.txt` a split (one name a line).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from data.caption_table import read_caption_table
from data.captioned import SPLITS, CaptionedPicture, Dataset
from data.errors import RetroflexError
from data.paths import display
from data.tabular import SUFFIXES

FORMS = f"a folder in Flickr8k layout, or a {', '.join(SUFFIXES)} file of picture and caption"


def read_dataset(path: Path, split: str | None) -> Dataset:
    """Read the `split` ("train", "dev" or "test"), or with None every captioned picture.

    A folder is read as Flickr8k, a file as a table of captions. What is malformed or missing is skipped and named
    in `problems`. Raise RetroflexError when the path is neither, the split is unknown, or no usable picture is left.
    """
    if split is not None and split not in SPLITS:
        raise RetroflexError(f"no split is called {split!r}; choose one of {', '.join(SPLITS)}")
    if not path.exists():
        raise RetroflexError(f"no such data set: {display(path)}; give {FORMS}")
    if path.is_dir():
        return read_flickr8k(path, split)
    if path.suffix.lower() in SUFFIXES:
        return read_caption_table(path, split)
    raise RetroflexError(f"{display(path)} is no data set; give {FORMS}")


PICTURE_FOLDER = "Flicker8k_Dataset"
CAPTION_FILE = "Flickr8k.token.txt"
SPLIT_FILES = {split: f"Flickr_8k.{split}Images.txt" for split in SPLITS}


def read_flickr8k(folder: Path, split: str | None) -> Dataset:
    """Read the `split` ("train", "dev" or "test"), or with None every captioned picture.

    Malformed lines and missing pictures are skipped and named in `problems`. Raise RetroflexError when a part of
    the layout is missing, or when no usable picture is left.
    """
    _check_layout(folder, split)
    problems: list[str] = []
    captions = _read_captions(folder / CAPTION_FILE, problems)
    names = list(captions) if split is None else _read_names(folder / SPLIT_FILES[split], problems)
    pictures = _join(folder / PICTURE_FOLDER, names, captions, problems)
    if not pictures:
        first = f" (first problem: {problems[0]})" if problems else ""
        raise RetroflexError(f"no usable picture for {split or 'any split'} in {display(folder)}{first}")
    return Dataset(split, pictures, problems)


def _check_layout(folder: Path, split: str | None) -> None:
    needed = [PICTURE_FOLDER, CAPTION_FILE] + ([SPLIT_FILES[split]] if split is not None else [])
    missing = [name for name in needed if not (folder / name).exists()]
    if missing:
        content = ", ".join(sorted(display(Path(entry.name)) for entry in folder.iterdir())[:10]) or "nothing"
        raise RetroflexError(f"{display(folder)} lacks {', '.join(missing)}; it holds {content}")


def _lines(path: Path, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each non-blank line with its position ("file line 3"); add lines that are not UTF-8 to `problems`."""
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        position = f"{path.name} line {number}"
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            problems.append(f"{position}: is not UTF-8")
            continue
        if line:
            yield position, line


def _read_captions(path: Path, problems: list[str]) -> dict[str, list[str]]:
    by_name: dict[str, dict[int, str]] = {}
    for position, line in _lines(path, problems):
        key, _, caption = line.partition("\t")
        name, _, number = key.rpartition("#")
        if not (_is_plain_name(name) and number.isdecimal() and caption.strip()):
            problems.append(f"{position}: is not name#number<TAB>caption: {line[:60]!r}")
        elif int(number) in by_name.setdefault(name, {}):
            problems.append(f"{position}: repeats caption {number} of {name}")
        else:
            by_name[name][int(number)] = caption.strip()
    return {name: [by_number[number] for number in sorted(by_number)] for name, by_number in by_name.items()}


def _read_names(path: Path, problems: list[str]) -> list[str]:
    names: dict[str, None] = {}
    for position, name in _lines(path, problems):
        if not _is_plain_name(name):
            problems.append(f"{position}: is not a file name: {name[:60]!r}")
        elif name in names:
            problems.append(f"{position}: repeats {name}")
        else:
            names[name] = None
    return list(names)


def _is_plain_name(name: str) -> bool:
    return bool(name) and name not in {".", ".."} and not set(name) & set("/\\\0")


def _join(
    folder: Path, names: list[str], captions: dict[str, list[str]], problems: list[str]
) -> list[CaptionedPicture]:
    on_disk = set(os.listdir(folder))
    pictures = []
    for name in names:
        if name not in captions:
            problems.append(f"{name}: has no caption in {CAPTION_FILE}")
        elif name not in on_disk:
            problems.append(f"{name}: is not in {PICTURE_FOLDER}")
        else:
            pictures.append(CaptionedPicture(name, folder / name, captions[name]))
    return pictures
