"""Captions in several languages: of the training pictures, and of pictures that are not here."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from data.errors import RetroflexError
from data.text import tokenize

Caption = Sequence[str]
COLUMNS = ("picture", "split", "caption")
OF_PICTURES, ALONE = "train", "text"


@dataclass(frozen=True)
class Texts:
    """What is learnt from beside the data set's own captions, each cut into words.

    `beside` holds, by picture name, a list of captions for each language other than the data set's; `alone` the
    captions of pictures that are not here, one list a picture, all languages together, and `spoken` those in the
    data set's own language; `languages` says by name how many captions there are.
    """

    beside: dict[str, list[list[Caption]]] = field(default_factory=dict)
    alone: list[list[Caption]] = field(default_factory=list)
    spoken: list[list[Caption]] = field(default_factory=list)
    languages: dict[str, int] = field(default_factory=dict)


def read_texts(folder: Path, language: str) -> Texts:
    """Read the tables `<language>.tsv` of `folder`, with the columns picture, split and caption.

    Rows of the split `train` belong to training pictures, those of `text` to pictures that are not here; other splits
    are left alone, so that they can be judged by. `language` is the data set's own. Raises RetroflexError.
    """
    tables = sorted(folder.glob("*.tsv"))
    if not tables:
        raise RetroflexError(f"{folder}: no table of captions there; give a folder with files such as de.tsv")
    beside: dict[str, list[list[Caption]]] = defaultdict(list)
    alone: dict[str, list[Caption]] = defaultdict(list)
    spoken: list[list[Caption]] = []
    languages = {}
    for table in tqdm(tables, desc="texts", unit="file", disable=None):
        of_pictures, others = _read_table(table)
        for picture, captions in of_pictures.items():
            beside[picture].append(captions)
        for picture, captions in others.items():
            alone[picture] += captions
        if table.stem == language:
            spoken = list(others.values())
        languages[table.stem] = sum(map(len, [*of_pictures.values(), *others.values()]))
    return Texts(dict(beside), list(alone.values()), spoken, languages)


def _read_table(table: Path) -> tuple[dict[str, list[Caption]], dict[str, list[Caption]]]:
    """The captions of training pictures and of pictures that are not here, by picture."""
    found: dict[str, dict[str, list[Caption]]] = {OF_PICTURES: defaultdict(list), ALONE: defaultdict(list)}
    for picture, split, caption in _rows(table):
        words = tokenize(caption)
        if words and split in found:
            found[split][picture].append(words)
    return found[OF_PICTURES], found[ALONE]


def _rows(table: Path) -> list[tuple[str, str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = [one for one in COLUMNS if one not in (reader.fieldnames or [])]
        if missing:
            raise RetroflexError(
                f"{table}: the column {missing[0]} is missing; a table of captions has {', '.join(COLUMNS)}"
            )
        return [(row["picture"], row["split"], row["caption"] or "") for row in reader]
