"""English words, out of WordNet: which words are English, what is near them, and what is narrower.

`training/lexicon.py` makes the table; it takes about twenty milliseconds to read, so it is read when the first word
that no caption says asks for it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("wordnet.json.gz")
CREDIT = (
    "Derived from WordNet 3.0, Copyright 2006 by Princeton University. All rights reserved. Permission to use, copy, "
    "modify and distribute this database and its documentation for any purpose and without fee or royalty is granted, "
    "provided as is, without warranty of any kind; the licence is at https://wordnet.princeton.edu/license-and-commercial-use"
)
VOWELS = "aeiouy"
NOUN, VERB, ADJECTIVE, ADVERB = "nvar"


@dataclass(frozen=True)
class Lexicon:
    """`words` by part of speech; `irregular` forms and their lemmas; the words of captions `nearest` to others, and
    those that are `narrower` than another, each as words with spaces between."""

    words: Mapping[str, frozenset[str]]
    irregular: Mapping[str, str]
    nearest: Mapping[str, str]
    narrower: Mapping[str, str]

    def is_english(self, word: str) -> bool:
        """Whether a lower-case word is English, in a regular form that is spelled rightly or an irregular one."""
        return word in self.irregular or any(lemma in self.words[part] for lemma, part in _lemmas(word))

    def lemma(self, word: str) -> str:
        """Return the noun of which `word` is a form, or the word itself."""
        if word in self.words[NOUN]:
            return word
        found = (lemma for lemma, part in _lemmas(word) if part == NOUN and lemma in self.words[NOUN])
        return self.irregular.get(word) or next(found, word)

    def forms(self, noun: str) -> list[str]:
        """Return the irregular forms of a noun, such as "men"."""
        return [form for form, lemma in self.irregular.items() if lemma == noun]


def _lemmas(word: str) -> list[tuple[str, str]]:
    """What a word may be a regular form of, with its part of speech."""
    found = [(word, part) for part in (NOUN, VERB, ADJECTIVE, ADVERB)]
    if word.endswith("s") and not word.endswith("ss"):
        found += [(base, part) for base in _without_s(word) for part in (NOUN, VERB)]
    for ending, part in (
        ("ing", VERB),
        ("ed", VERB),
        ("ed", NOUN),
        ("er", VERB),
        ("ers", VERB),
        ("er", ADJECTIVE),
        ("est", ADJECTIVE),
    ):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            found += [(base, part) for base in _bases(word.removesuffix(ending), ending)]
    return found


def _without_s(word: str) -> list[str]:
    if word.endswith("ies"):
        return [f"{word[:-3]}y", word[:-1]]
    return [word[:-1], word[:-2]] if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")) else [word[:-1]]


def _bases(base: str, ending: str) -> list[str]:
    """The words that give `base` and the ending: "runn" comes of "run", "lik" of "like", "happi" of "happy"."""
    bases = [f"{base}e"]
    if len(base) > 2 and base[-1] == base[-2]:
        bases.append(base[:-1])
    if not _doubles(base):
        bases.append(base)
    if base.endswith("i") and ending != "ing":
        bases.append(f"{base[:-1]}y")
    return bases


def _doubles(base: str) -> bool:
    """Whether the last letter is doubled before an ending: one syllable that ends in one vowel and one consonant."""
    if len(base) < 3 or base[-1] in f"{VOWELS}wx" or base[-2] not in VOWELS or base[-3] in VOWELS:
        return False
    return sum(letter in VOWELS for letter in base) == 1


@lru_cache(1)
def load_lexicon() -> Lexicon:
    """Read the table that ships."""
    document = json.loads(gzip.decompress(TABLE.read_bytes()))
    words = {part: frozenset(listed.split()) for part, listed in document["words"].items()}
    return Lexicon(words, document["irregular"], document["nearest"], document["narrower"])
