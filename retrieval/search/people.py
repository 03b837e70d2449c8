"""Search by the names of people: "Anna on a beach" finds the pictures of Anna, ordered by the other words.

Names are those that a person gave to groups of faces. They are looked up in the store, and stand in no index.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from data.faces.people import named, shown_on
from data.records import PictureText
from data.store import Store
from data.text import tokenize, without_accents
from retrieval.index.index import Index
from retrieval.search.pipeline import Candidates, Clause, Fusion

FLOOR = 0.9
"""The least relevance of a picture that shows all people of the query; the other words add what is left."""
FIELD = "person"
"""The field of what a hit matched."""


class FoundPeople(NamedTuple):
    """The people that a text names, the ids (rising) of pictures and frames that show all, and the other words."""

    names: Sequence[str]
    ids: np.ndarray
    rest: str

    @property
    def told(self) -> list[PictureText]:
        """What a hit matched."""
        return [PictureText(FIELD, name) for name in self.names]


class People:
    """The people of one state of the library."""

    def __init__(self, store: Store, index: Index) -> None:
        self._store, self._index = store, index

    def find(self, text: str) -> FoundPeople | None:
        """Return the people that a text names by their first or their whole name; None if there is none.

        A first name that captions say in another sense, as "sandy", has to begin with a capital letter.
        """
        if not self._by_word:
            return None
        words = text.split()
        keys = [_key(word) for word in words]
        found: list[set[int]] = []
        rest: list[str] = []
        place = 0
        while place < len(words):
            length, people = self._named_at(words, keys, place)
            if people:
                found.append(people)
            else:
                rest.append(words[place])
            place += length
        if not found:
            return None
        names = [self._names[person] for people in found for person in sorted(people)]
        shown = [np.array(sorted(shown_on(self._store, people)), np.int64) for people in found]
        ids = shown[0]
        for others in shown[1:]:
            ids = np.intersect1d(ids, others, assume_unique=True)
        return FoundPeople(names, np.intersect1d(ids, self._index.ids, assume_unique=True), " ".join(rest))

    def pictures(self, words: Sequence[str]) -> np.ndarray:
        """Return the ids, rising, of the pictures and frames of the people with a name of these words."""
        plain = tuple(map(without_accents, words))
        people = self._whole(plain) | (self._first(plain[0]) if len(plain) == 1 else set())
        return np.array(sorted(shown_on(self._store, people)), np.int64)

    def is_name(self, word: str) -> bool:
        """Return whether a word is part of a name."""
        return without_accents(word) in self._by_word

    @cached_property
    def _names(self) -> dict[int, str]:
        return named(self._store)

    @cached_property
    def _tokens(self) -> dict[int, tuple[str, ...]]:
        return {person: tuple(map(without_accents, tokenize(name))) for person, name in self._names.items()}

    @cached_property
    def _by_word(self) -> set[str]:
        return {word for words in self._tokens.values() for word in words}

    def _named_at(self, words: Sequence[str], keys: Sequence[str], place: int) -> tuple[int, set[int]]:
        """Return how many words from `place` on are a name, the longest, and of whom; else 1 and nobody."""
        if keys[place] not in self._by_word:
            return 1, set()
        longest = max(map(len, self._tokens.values()))
        for length in range(min(longest, len(words) - place), 1, -1):
            people = self._whole(tuple(keys[place : place + length]))
            if people:
                return length, people
        people = self._whole((keys[place],)) | self._first(keys[place])
        meant = words[place][:1].isupper() or not self._index.captions.spread([keys[place]])[0]
        return 1, people if meant else set()

    def _whole(self, words: tuple[str, ...]) -> set[int]:
        return {person for person, own in self._tokens.items() if own == words}

    def _first(self, word: str) -> set[int]:
        return {person for person, own in self._tokens.items() if own[0] == word}


def _key(word: str) -> str:
    """Return a word of a query as names are compared; of "Anna's", that of Anna."""
    return without_accents(next(iter(tokenize(word)), ""))


class ShowsPeople:
    """Retrieves the pictures of the people of a query."""

    def __init__(self, ids: np.ndarray) -> None:
        self._ids = ids

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        return candidates.with_ids(self._ids)


class PeopleFusion:
    """Lifts the relevance of the pictures `ids` (rising), which show the people of a query; others have none."""

    def __init__(self, ids: np.ndarray, usual: Fusion | None) -> None:
        """`usual` is the fusion for the other words, None if there are none."""
        self._ids, self._usual = ids, usual

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        usual = np.zeros(len(candidates.ids)) if self._usual is None else self._usual(clause, candidates)
        shown = np.isin(candidates.ids, self._ids, assume_unique=True)
        return np.where(shown, FLOOR + (1 - FLOOR) * usual, 0.0)
