"""Read the database files of WordNet 3.0 (Princeton University): senses, broader senses, irregular forms.

NLTK's reader takes seconds to load and needs further files; what is needed here are three of the file formats, which
wndb(5WN) describes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from data.errors import RetroflexError

FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
NOUN = "1:"
"""What the part of a key of index.sense after the lemma begins with, for a noun."""
HYPERNYM, INSTANCE = "@", "@i"


class WordNetMissing(RetroflexError):
    """The folder has no database of WordNet; the message says what to give."""


class Sense(NamedTuple):
    """A meaning: its lemmas as written, the keys of its broader senses, its subject (05 is animals), its definition."""

    lemmas: tuple[str, ...]
    broader: tuple[str, ...]
    subject: str
    definition: str


@dataclass
class WordNet:
    """`senses` by key; `senses_of` a lemma (lower case, a part of speech) the keys, most frequent first.

    `irregular` has the lemmas of forms such as "men". `counts` has how often a noun was met with a meaning in the texts
    in which WordNet's authors marked meanings; never is left out.
    """

    senses: dict[str, Sense] = field(default_factory=dict)
    senses_of: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    irregular: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def nouns(self, lemma: str) -> list[str]:
        """Return the keys of the senses of a noun, most frequent first."""
        return self.senses_of.get((lemma, "n"), [])

    def above(self, key: str) -> list[str]:
        """Return the keys of all broader senses, nearest first."""
        found: dict[str, None] = {}
        level = [key]
        while level:
            level = [one for key in level for one in self.senses[key].broader if one not in found]
            found |= dict.fromkeys(level)
        return list(found)


def read_wordnet(folder: Path) -> WordNet:
    """Read the files index.*, data.* and *.exc in `folder`, with index.sense. Raise WordNetMissing."""
    wordnet = WordNet()
    try:
        for part, name in FILES.items():
            for line in _lines(folder / f"data.{name}"):
                key, sense = _sense(line, part)
                wordnet.senses[key] = sense
            for line in _lines(folder / f"index.{name}"):
                fields = line.split()
                count, pointers = int(fields[2]), int(fields[3])
                keys = fields[6 + pointers : 6 + pointers + count]
                wordnet.senses_of[fields[0], part] = [f"{key}{part}" for key in keys]
            for line in _lines(folder / f"{name}.exc"):
                form, *lemmas = line.split()
                wordnet.irregular[form, part] = lemmas
        wordnet.counts = dict(_counts(folder / "index.sense"))
    except (OSError, ValueError, IndexError) as error:
        reason = f"the files of WordNet 3.0 in {folder} cannot be read ({error})"
        raise WordNetMissing(
            f"{reason}; give a folder with index.sense, index.noun, data.noun, noun.exc and so on"
        ) from error
    return wordnet


def _counts(path: Path) -> Iterator[tuple[tuple[str, str], int]]:
    for line in _lines(path):
        tag, offset, _, count = line.split()
        lemma, _, kind = tag.partition("%")
        if kind.startswith(NOUN) and count != "0":
            yield (lemma, f"{offset}n"), int(count)


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines after the licence, which is indented."""
    return (line for line in path.read_text("utf-8").splitlines() if line[:1] not in ("", " "))


def _sense(line: str, part: str) -> tuple[str, Sense]:
    head, _, definition = line.partition(" | ")
    fields = head.split()
    words = int(fields[3], 16)
    lemmas = tuple(fields[4 + 2 * number].split("(")[0] for number in range(words))
    start = 5 + 2 * words
    pointers = [fields[start + 4 * number : start + 4 * number + 3] for number in range(int(fields[start - 1]))]
    broader = tuple(f"{offset}{of}" for symbol, offset, of in pointers if symbol in (HYPERNYM, INSTANCE))
    return f"{fields[0]}{part}", Sense(lemmas, broader, fields[1], definition.split(";")[0])
