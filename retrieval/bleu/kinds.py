"""Pictures by how many captions they have and how long these are: all that BLEU needs beside the matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from retrieval.arrays import smallest


@dataclass(frozen=True)
class Kinds:
    """n pictures share few kinds: picture i is of kind `of_picture[i]`, whose pictures have `captions[kind]` captions.

    The distinct lengths of these captions are `lengths[starts[kind]:starts[kind + 1]]`, in words; a kind without
    captions has the length 0. All are whole numbers; `starts` has one more than there are kinds.
    """

    of_picture: np.ndarray
    captions: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray

    @classmethod
    def build(cls, of_picture: np.ndarray, kinds: Sequence[tuple[int, ...]]) -> Kinds:
        """`kinds`: for each kind the number of captions, then their distinct lengths."""
        lengths = [kind[1:] or (0,) for kind in kinds]
        return cls(
            of_picture=smallest(of_picture),
            captions=np.array([kind[0] for kind in kinds], np.int64),
            lengths=np.array([length for own in lengths for length in own], np.int64),
            starts=np.cumsum([0, *(len(own) for own in lengths)]),
        )

    def closest(self, length: int) -> np.ndarray:
        """Return, for each kind, the caption length closest to `length`, int64; the shorter of two equally close."""
        above_all = int(self.lengths.max(initial=0)) + 1
        ranked = np.abs(self.lengths - length) * above_all + self.lengths
        return np.minimum.reduceat(ranked, self.starts[:-1]) % above_all

    @cached_property
    def caption_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct numbers of captions, rising, and each kind's place among them."""
        values, place = np.unique(self.captions, return_inverse=True)
        return values, place
