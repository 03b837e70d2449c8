"""Which pictures of a segment have which words, whole names and dates beside their captions.

A term is stored as 64 bits of its hash, so that a look-up is one binary search and a million file names need no
dictionary. That two terms of a million pictures share a hash has a chance of one in a million.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from data.metadata.dates import PARTIAL
from data.records import SearchedPicture
from retrieval.arrays import IndexDamaged, load_array, save_arrays
from retrieval.metadata.terms import terms_of, texts_of

PARTS = ("hashes", "starts", "rows", "days")
BELIEVED_FROM = 19710101
"""From 1970 to this day, times of files are those of no clock."""


@dataclass(frozen=True)
class MetadataPostings:
    """The terms and days of n pictures, numbered by row from 0.

    `hashes` (t,) uint64, rising; the pictures with term i are `rows[starts[i]:starts[i + 1]]`, int32, rising. `days`
    (n,) int32: when each was taken, as the number 20190504; 0 for unknown.
    """

    hashes: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    days: np.ndarray

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.days)

    def find(self, term: str) -> np.ndarray:
        """Return the rows of the pictures with a term, rising."""
        wanted = np.uint64(_hash(term))
        at = int(np.searchsorted(self.hashes, wanted))
        if at == len(self.hashes) or self.hashes[at] != wanted:
            return self.rows[:0]
        return self.rows[self.starts[at] : self.starts[at + 1]]

    def save(self, folder: Path) -> None:
        """Write the arrays to `folder`. Raises OSError."""
        save_arrays(folder, {f"metadata_{name}": getattr(self, name) for name in PARTS})

    @classmethod
    def load(cls, folder: Path) -> MetadataPostings:
        """Map what `save` wrote into memory. Raises IndexDamaged or FileNotFoundError."""
        loaded = cls(**{name: load_array(folder, f"metadata_{name}") for name in PARTS})
        if len(loaded.starts) != len(loaded.hashes) + 1 or loaded.starts[-1] != len(loaded.rows):
            raise IndexDamaged("the arrays of the search index do not fit together")
        return loaded


class PostingsBuilder:
    """Collects the terms and days of pictures, one after the other, in 12 bytes a term."""

    def __init__(self, roots: Sequence[bytes]) -> None:
        """`roots` are the indexed folders: only folders below them have names to search by."""
        self._roots = roots
        self._hashes, self._rows, self._days = array("Q"), array("i"), array("i")

    def add(self, picture: SearchedPicture) -> None:
        """Add the picture of the next row."""
        terms = set(terms_of(texts_of(picture.paths, picture.metadata, self._roots)))
        self._hashes.extend(map(_hash, terms))
        self._rows.extend([len(self._days)] * len(terms))
        self._days.append(day_number(picture.taken_at, picture.taken_from))

    def build(self) -> MetadataPostings:
        """Return the postings of all pictures added."""
        hashes, rows = np.array(self._hashes, np.uint64), np.array(self._rows, np.int32)
        order = np.argsort(hashes, kind="stable")  # so the rows of a term stay rising
        hashes, rows = hashes[order], rows[order]
        firsts = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] + np.uint64(1)))
        return MetadataPostings(hashes[firsts], np.append(firsts, len(rows)), rows, np.array(self._days, np.int32))


def _hash(term: str) -> int:
    return int.from_bytes(hashlib.blake2b(term.encode(errors="replace"), digest_size=8).digest(), "little")


def day_number(moment: datetime | None, source: str | None = None) -> int:
    """Return a day as a number like 20190504, 0 for none and for what a file's time shows where no clock ran.

    Of a date whose `source` tells a month or a year only, what it does not tell is 0: 20190500, 20190000.
    """
    if moment is None:
        return 0
    if source in PARTIAL:
        return moment.year * 10_000 + (moment.month * 100 if source == "month" else 0)
    day = moment.year * 10_000 + moment.month * 100 + moment.day
    return 0 if 19700101 <= day < BELIEVED_FROM else day
