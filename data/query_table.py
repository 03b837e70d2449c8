"""Read captions that ask for a data set's pictures in place of its own, such as those of another language."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from data.caption_table import SPLIT_NAMES, find_columns
from data.captioned import Dataset
from data.errors import RetroflexError
from data.paths import display
from data.tabular import SUFFIXES, Row, read_table


def with_captions_of(path: Path, dataset: Dataset) -> Dataset:
    """Return `dataset` with the captions that the table at `path` gives its pictures, none for those not in the table.

    The table has the columns `picture`, `split` and `caption`; rows of other splits are passed over. Bad rows, and how
    many of the split's rows name pictures that the data set lacks, are added to `problems`. Raises RetroflexError where
    the table cannot be read, lacks a column, or has no caption for any picture of the split.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RetroflexError(f"{display(path)} is no table of captions; give a {', '.join(SUFFIXES)} file")
    problems: list[str] = []
    header, rows = read_table(path, problems)
    columns = find_columns(path, header, optional=())
    splits = Counter(SPLIT_NAMES.get(own, own) for own in (fields[columns["split"]].lower() for _, fields in rows))
    given: dict[str, list[str]] = defaultdict(list)
    for picture, caption in _captions(path, rows, columns, dataset.split, problems):
        given[picture].append(caption)
    unknown = sorted(given.keys() - {picture.name for picture in dataset.pictures})
    if len(unknown) == len(given):
        raise RetroflexError(_nothing_usable(path, dataset, splits, unknown))
    if unknown:
        problems.append(
            f"{display(Path(path.name))}: {len(unknown):,} of its pictures, since the {dataset.split} split does not "
            f"have them, such as {display(Path(unknown[0]))}"
        )
    pictures = [replace(picture, captions=given.get(picture.name, [])) for picture in dataset.pictures]
    return replace(dataset, pictures=pictures, problems=[*dataset.problems, *problems])


def _captions(
    path: Path, rows: list[Row], columns: dict[str, int], split: str | None, problems: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield picture and caption of the split's rows."""
    for line, fields in rows:
        picture, caption, own = (fields[columns[name]] for name in ("picture", "caption", "split"))
        if SPLIT_NAMES.get(own.lower()) != split:
            continue
        if picture and caption:
            yield os.path.normpath(picture), " ".join(caption.split())
        else:
            empty = " and no ".join(name for name, value in (("picture", picture), ("caption", caption)) if not value)
            problems.append(f"{display(Path(path.name))} line {line}: has no {empty}")


def _nothing_usable(path: Path, dataset: Dataset, splits: Counter[str], unknown: list[str]) -> str:
    if not unknown:
        there = ", ".join(f"{count:,} {name[:60]!r}" for name, count in splits.most_common(5)) or "none"
        return f"{display(path)} has no caption of the {dataset.split} split; its rows by split: {there}"
    wanted, found = dataset.pictures[0].name, display(Path(unknown[0]))
    return f"{display(path)} names no picture of the {dataset.split} split: it has {found}, the data set {wanted}"
