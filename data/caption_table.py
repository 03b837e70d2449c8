"""Read tables with a caption in each row: a data set, or other captions for the pictures of a data set.

The columns are `picture`, `caption` and `split`, which a data set's own table may lack.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from data.captioned import SPLITS, CaptionedPicture, Dataset
from data.errors import RetroflexError
from data.paths import absolute, display
from data.tabular import SUFFIXES, Row, read_table

COLUMNS = {"picture": ("picture", "image", "filename"), "caption": ("caption",), "split": ("split",)}
PICTURE_FOLDERS = ("", "Images", "images")
SPLIT_NAMES = {**{split: split for split in SPLITS}, "val": "dev", "validation": "dev"}
DEV_BELOW, TEST_BELOW = 0.1, 0.2


@dataclass(frozen=True)
class _Row:
    position: str
    picture: str
    caption: str
    split: str | None


@dataclass
class _Entry:
    """The split and the captions, in order, that the rows give a picture."""

    split: str | None
    captions: dict[str, None] = field(default_factory=dict)


def read_caption_table(path: Path, split: str | None) -> Dataset:
    """Read the `split` of the table, or with None every captioned picture, in the order of the rows.

    Relative paths are searched for next to the table, then in `Images/` or `images/` there. Without a column
    `split` a hash of the name decides. Malformed rows and missing pictures are skipped and named in `problems`.
    Raise RetroflexError when the table or a column is missing, or when no usable picture is left.
    """
    problems: list[str] = []
    root = absolute(path.parent)
    entries = _gather(_rows(path, problems), root, problems)
    names = {file: _name(file, root) for file in entries}
    hashed = _split_by_hash(list(names.values()))
    splits = {file: entry.split or hashed[names[file]] for file, entry in entries.items()}
    pictures = [
        CaptionedPicture(names[file], file, list(entry.captions))
        for file, entry in entries.items()
        if split in (None, splits[file])
    ]
    if not pictures:
        raise RetroflexError(_nothing_usable(path, split, Counter(splits.values()), problems))
    return Dataset(split, pictures, problems)


def _nothing_usable(path: Path, split: str | None, counts: Counter[str], problems: list[str]) -> str:
    counted = ", ".join(f"{counts[name]} {name}" for name in SPLITS)
    advice = f"; add pictures, or write {split} in the column split" if split else ""
    first = f" (first problem: {problems[0]})" if problems else ""
    return f"no usable picture for {split or 'any split'} in {display(path)}, which has {counted}{advice}{first}"


def _rows(path: Path, problems: list[str]) -> Iterator[_Row]:
    """Yield the rows with a picture, a caption and, if there is the column, a split."""
    header, rows = read_table(path, problems)
    columns = find_columns(path, header)
    for line, fields in rows:
        position = f"{display(Path(path.name))} line {line}"
        values = {column: fields[index] for column, index in columns.items()}
        empty = [column for column, value in values.items() if not value]
        split = SPLIT_NAMES.get(values["split"].lower()) if "split" in values else None
        if empty:
            problems.append(f"{position}: has no {' and no '.join(empty)}")
        elif "split" in values and split is None:
            problems.append(f"{position}: its split {values['split'][:60]!r} is none of {', '.join(SPLIT_NAMES)}")
        else:
            yield _Row(position, os.path.normpath(values["picture"]), " ".join(values["caption"].split()), split)


def find_columns(path: Path, header: list[str], optional: Sequence[str] = ("split",)) -> dict[str, int]:
    """Return the index of each of COLUMNS that the header has.

    Raise RetroflexError when a column that is not `optional` is missing, or one occurs twice.
    """
    present = f"{display(path)} has the columns {', '.join(repr(name[:60]) for name in header)}"
    columns: dict[str, int] = {}
    for column, names in COLUMNS.items():
        indices = [index for index, name in enumerate(header) if name.lower() in names]
        if len(indices) > 1:
            raise RetroflexError(f"{present}; keep one for the {column}, not {len(indices)}")
        if indices:
            columns[column] = indices[0]
        elif column not in optional:
            raise RetroflexError(f"{present}; its first line must name the column {' or '.join(names)}")
    return columns


def _gather(rows: Iterator[_Row], root: Path, problems: list[str]) -> dict[Path, _Entry]:
    """Group the captions by picture, also where rows spell its path differently."""
    entries: dict[Path, _Entry] = {}
    missing: set[str] = set()
    for row in rows:
        if row.picture in missing:
            continue
        file = _find(root, row.picture)
        if isinstance(file, str):
            problems.append(f"{row.position}: {display(Path(row.picture))} {file}")
            missing.add(row.picture)
            continue
        entry = entries.setdefault(file, _Entry(row.split))
        if row.split != entry.split:
            problems.append(f"{row.position}: puts the picture in {row.split}, an earlier row in {entry.split}")
        elif row.caption in entry.captions:
            problems.append(f"{row.position}: repeats a caption of this picture")
        else:
            entry.captions[row.caption] = None
    return entries


def _find(root: Path, picture: str) -> Path | str:
    """Return the file of a normalised path, or what is wrong with it. An absolute path is used as it is."""
    if picture.split(os.sep)[0] == os.pardir:
        return "leads out of the table's folder; write the full path"
    for folder in PICTURE_FOLDERS:
        path = root / folder / picture
        if os.path.isfile(path):  # Path.is_file raises for a name that is too long
            return path
    return "is no file" if os.path.isabs(picture) else "is neither beside the table nor in its Images or images folder"


def _name(path: Path, root: Path) -> str:
    """Return a name for a picture; inside the data set it does not change when the data set is moved."""
    return display(path.relative_to(root) if path.is_relative_to(root) else path)


def _split_by_hash(names: list[str]) -> dict[str, str]:
    """Return the split of each name: 10 % dev, 10 % test, the rest train.

    The lowest hash is always dev and the highest train, so two pictures already give both splits.
    """
    hashes = {name: int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64 for name in names}
    low, high = min(hashes.values(), default=0.0), max(hashes.values(), default=0.0)

    def choose(share: float) -> str:
        if share == high:
            return "train"
        if share < DEV_BELOW or share == low:
            return "dev"
        return "test" if share < TEST_BELOW else "train"

    return {name: choose(share) for name, share in hashes.items()}


def with_captions_of(path: Path, dataset: Dataset) -> Dataset:
    """Return `dataset` with the captions of the table at `path`, none for pictures that are not in the table.

    Use it for captions in another language, for example. The table has the columns `picture`, `split` and
    `caption`; rows of other splits are skipped. Bad rows, and the number of pictures that the data set lacks, are
    added to `problems`. Raise RetroflexError when the table cannot be read, lacks a column, or has no caption for any
    picture of the split.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RetroflexError(f"{display(path)} is no table of captions; give a {', '.join(SUFFIXES)} file")
    problems: list[str] = []
    header, rows = read_table(path, problems)
    columns = find_columns(path, header, optional=())
    splits = Counter(SPLIT_NAMES.get(name, name) for name in (fields[columns["split"]].lower() for _, fields in rows))
    captions: dict[str, list[str]] = defaultdict(list)
    for picture, caption in _captions(path, rows, columns, dataset.split, problems):
        captions[picture].append(caption)
    unknown = sorted(captions.keys() - {picture.name for picture in dataset.pictures})
    if len(unknown) == len(captions):
        raise RetroflexError(_no_caption_of_split(path, dataset, splits, unknown))
    if unknown:
        problems.append(
            f"{display(Path(path.name))}: {len(unknown):,} of its pictures, since the {dataset.split} split does not "
            f"have them, such as {display(Path(unknown[0]))}"
        )
    pictures = [replace(picture, captions=captions.get(picture.name, [])) for picture in dataset.pictures]
    return replace(dataset, pictures=pictures, problems=[*dataset.problems, *problems])


def _captions(
    path: Path, rows: list[Row], columns: dict[str, int], split: str | None, problems: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield picture and caption of the split's rows."""
    for line, fields in rows:
        picture, caption, row_split = (fields[columns[name]] for name in ("picture", "caption", "split"))
        if SPLIT_NAMES.get(row_split.lower()) != split:
            continue
        if picture and caption:
            yield os.path.normpath(picture), " ".join(caption.split())
        else:
            empty = " and no ".join(name for name, value in (("picture", picture), ("caption", caption)) if not value)
            problems.append(f"{display(Path(path.name))} line {line}: has no {empty}")


def _no_caption_of_split(path: Path, dataset: Dataset, splits: Counter[str], unknown: list[str]) -> str:
    if not unknown:
        counted = ", ".join(f"{count:,} {name[:60]!r}" for name, count in splits.most_common(5)) or "none"
        return f"{display(path)} has no caption of the {dataset.split} split; its rows by split: {counted}"
    expected, actual = dataset.pictures[0].name, display(Path(unknown[0]))
    return f"{display(path)} names no picture of the {dataset.split} split: it has {actual}, the data set {expected}"
