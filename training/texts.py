"""Captions from tables in several languages: of training pictures, and without their pictures."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.errors import RetroflexError
from data.progress import progress_bar
from data.text import tokenize

Caption = Sequence[str]
COLUMNS = ("picture", "split", "caption")
PAIRED, UNPAIRED = "train", "text"


@dataclass(frozen=True)
class Texts:
    """Captions besides those of the data set, each split into words.

    `translations` holds, by picture name, a list of captions for each language other than the data set's. `unpaired`
    holds captions whose pictures are not available, a list for each picture, all languages together; `unpaired_own`
    those in the data set's own language. `languages` has the number of captions of each language.
    """

    translations: dict[str, list[list[Caption]]] = field(default_factory=dict)
    unpaired: list[list[Caption]] = field(default_factory=list)
    unpaired_own: list[list[Caption]] = field(default_factory=list)
    languages: dict[str, int] = field(default_factory=dict)


def read_texts(folder: Path, language: str) -> Texts:
    """Read the tables `<language>.tsv` of `folder`, with the columns picture, split and caption.

    Rows of the split `train` belong to training pictures, those of `text` to pictures that are not available; other
    splits are skipped, since they are for evaluation. `language` is the data set's own. Raise RetroflexError.
    """
    tables = sorted(folder.glob("*.tsv"))
    if not tables:
        raise RetroflexError(f"{folder}: no table of captions; give a folder with files such as de.tsv")
    translations: dict[str, list[list[Caption]]] = defaultdict(list)
    unpaired: dict[str, list[Caption]] = defaultdict(list)
    unpaired_own: list[list[Caption]] = []
    languages = {}
    for table in progress_bar(tables, desc="texts", unit="file"):
        paired, others = _read_table(table)
        for picture, captions in paired.items():
            translations[picture].append(captions)
        for picture, captions in others.items():
            unpaired[picture] += captions
        if table.stem == language:
            unpaired_own = list(others.values())
        languages[table.stem] = sum(map(len, [*paired.values(), *others.values()]))
    return Texts(dict(translations), list(unpaired.values()), unpaired_own, languages)


def _read_table(table: Path) -> tuple[dict[str, list[Caption]], dict[str, list[Caption]]]:
    """Return the captions of training pictures, and those without their pictures, by picture name."""
    captions: dict[str, dict[str, list[Caption]]] = {PAIRED: defaultdict(list), UNPAIRED: defaultdict(list)}
    for picture, split, caption in _rows(table):
        words = tokenize(caption)
        if words and split in captions:
            captions[split][picture].append(words)
    return captions[PAIRED], captions[UNPAIRED]


def _rows(table: Path) -> list[tuple[str, str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = [one for one in COLUMNS if one not in (reader.fieldnames or [])]
        if missing:
            raise RetroflexError(
                f"{table}: the column {missing[0]} is missing; a table of captions has {', '.join(COLUMNS)}"
            )
        return [(row["picture"], row["split"], row["caption"] or "") for row in reader]
