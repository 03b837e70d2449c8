"""The words of all captions as one sorted block of bytes, which is memory-mapped and searched without being read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

UNKNOWN = -1


@dataclass(frozen=True)
class WordTable:
    """Distinct words in the order of their UTF-8 bytes; a word's id is its place.

    `letters`: uint8, all words end to end; `starts`: int64 of shape (words + 1,), where each begins.
    """

    letters: np.ndarray
    starts: np.ndarray
    _met: dict[str, int] = field(default_factory=dict, repr=False)
    """The ids of words that were asked for, which are soon most of those that people use."""

    @classmethod
    def build(cls, words: Collection[str]) -> tuple[WordTable, np.ndarray]:
        """Return the table of distinct `words`, and the id of each of them in the order given, int64."""
        encoded = [_encode(word) for word in words]
        order = sorted(range(len(encoded)), key=encoded.__getitem__)
        ids = np.empty(len(encoded), np.int64)
        ids[order] = np.arange(len(encoded))
        letters = np.frombuffer(b"".join(encoded[place] for place in order), np.uint8)
        starts = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(encoded[place]) for place in order], out=starts[1:])
        return cls(letters, starts), ids

    def __len__(self) -> int:
        return len(self.starts) - 1

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """Return the id of each word, int64, UNKNOWN where a word stands in no caption."""
        return np.array([self._id(word) for word in words], np.int64)

    def _id(self, text: str) -> int:
        met = self._met.get(text)
        if met is not None:
            return met
        word = _encode(text)
        place = bisect_left(range(len(self)), word, key=self._word)
        if place == len(self) or self._word(place) != word:
            return UNKNOWN
        self._met[text] = place
        return place

    def _word(self, place: int) -> bytes:
        return self.letters[self.starts[place] : self.starts[place + 1]].tobytes()


def _encode(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")
