"""What a metric is trained on: labelled pictures, or triplets of pictures in a table, with their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from captioner.arithmetic import unit
from data.errors import RetroflexError
from data.paths import absolute, display
from data.tabular import SUFFIXES, read_table
from training.comparison.cache import DescriptionCache, vectors_of
from training.comparison.kinds import Kind
from training.metric.triplet_loss import Triplets

COLUMNS = ("anchor", "positive", "negative")


class Vectors(NamedTuple):
    """Unit vectors float32 (n, d) of the rows `rows` int64 (n,) of a list of files, and the model that made them."""

    values: np.ndarray
    rows: np.ndarray
    model_version: str


def vectors_of_files(kind: Kind, files: Sequence[Path], cache: DescriptionCache) -> Vectors:
    """Describe those of `files` that the cache does not know. Raise RetroflexError if none can be read."""
    describer = kind.load()
    cache.describe(describer, files, kind.name)
    there, vectors = vectors_of(cache.store, kind.name, describer.model_version, cache.items(files))
    if not len(vectors):
        raise RetroflexError(f"none of the {len(files):,} pictures can be read")
    return Vectors(unit(vectors).astype(np.float32), np.flatnonzero(there), describer.model_version)


def read_triplets(table: Path) -> tuple[list[Path], Triplets]:
    """Read a table with the columns anchor, positive and negative: paths of pictures, from the table's folder on.

    Return the files, each once, and the triplets of their rows. Raise RetroflexError for a malformed row or a file
    that is missing, naming its line.
    """
    if table.suffix.lower() not in SUFFIXES:
        raise RetroflexError(f"{display(table)} is no table; give a {', '.join(SUFFIXES)} file")
    problems: list[str] = []
    header, rows = read_table(table, problems)
    lowered = [name.lower() for name in header]
    lacking = [name for name in COLUMNS if name not in lowered]
    if lacking:
        raise RetroflexError(
            f"{display(table)} has no column {lacking[0]}; its first line must name {', '.join(COLUMNS)}"
        )
    if problems:
        raise RetroflexError(problems[0])
    files: dict[Path, int] = {}
    made: list[list[int]] = []
    for line, fields in rows:
        paths = [absolute(table.parent / fields[lowered.index(name)]) for name in COLUMNS]
        for name, path in zip(COLUMNS, paths, strict=True):
            if not path.is_file():
                raise RetroflexError(f"{display(Path(table.name))} line {line}: its {name} {display(path)} is no file")
        made.append([files.setdefault(path, len(files)) for path in paths])
    if not made:
        raise RetroflexError(f"{display(table)} has no triplets; give a row for each")
    return list(files), Triplets(*np.array(made, np.int64).T)


def readable(triplets: Triplets, rows: np.ndarray) -> Triplets:
    """Return the triplets whose files are all among the rising `rows`, as numbers of these."""
    kept = np.all([np.isin(one, rows) for one in triplets], axis=0)
    return Triplets(*(np.searchsorted(rows, one[kept]) for one in triplets))
