"""A second look at the best pictures for a sentence: evidence too dear to gather for a whole library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from captioner.bundle import SECOND_LOOK
from captioner.embedding import hubness
from captioner.likelihood import Likelihood
from captioner.types import TextModel
from captioner.views import unpack_views
from data.store import StoreDamaged
from retrieval.search.relevance import Parts

LOOKS = 30
"""How many of the best are looked at again at most; more hardly change the order, see docs/ranking.md."""
LOOKS_A_WORD = 4
"""So many for each word that is typed: few words tell so little that more would gain nothing."""
WORDS = 3
"""Fewer words are worth no look at all: what the decoder would begin a sentence with is not what is asked for."""


READABLE = 0.6
"""Of a sentence in another language than the captions' the decoder can say but a few words, by chance."""


class SecondLook:
    """The decoder's log P(sentence ... | picture), and how near usual sentences come to a picture (its hubness)."""

    def __init__(self, likelihood: Likelihood, sentences: np.ndarray, weights: Mapping[str, float]) -> None:
        """`weights` by the names of the parts; `sentences` as in `captioner.embedding.hubness`."""
        self._likelihood, self._sentences, self.weights = likelihood, sentences, weights

    @classmethod
    def of(cls, model: TextModel) -> SecondLook | None:
        """The second look that a model was trained for, None where it was not."""
        if model.likelihood is None or model.sentences is None:
            return None
        return cls(model.likelihood, model.sentences, model.relevance[SECOND_LOOK])

    def can_read(self, tokens: Sequence[str]) -> bool:
        """Whether the decoder can say enough of the words for its probability to tell pictures apart."""
        return self._likelihood.share_read(tokens) >= READABLE

    def parts(self, tokens: Sequence[str], views: Sequence[bytes], places: np.ndarray) -> dict[str, np.ndarray]:
        """Evidence for n pictures, at least one, float (n,), from their views and embeddings, `places` (n, e).

        Raises StoreDamaged.
        """
        try:
            cells = unpack_views(views)
        except ValueError as error:
            raise StoreDamaged(f"{error}; index again") from error
        return {"logprob": self._likelihood.logprob(tokens, cells), "hubness": hubness(places, self._sentences)}

    def shift(self, parts: Parts, chances: np.ndarray) -> np.ndarray:
        """What the parts add to the logits of relevance, see `shift`."""
        return shift(self.weights, parts, chances)


def looks(tokens: Sequence[str]) -> int:
    """How many of the best pictures for a sentence are worth a second look."""
    return min(LOOKS, LOOKS_A_WORD * len(tokens)) if len(tokens) >= WORDS else 0


def shift(weights: Mapping[str, float], parts: Parts, chances: np.ndarray) -> np.ndarray:
    """What the parts add to the logits of relevance, float64 (n,), 0 for what was not looked at again.

    Only differences between pictures tell anything, so the mean is taken off, each weighing as much as the odds of
    its relevance so far, `chances` (n,).
    """
    added = np.sum([weight * parts[name] for name, weight in weights.items()], axis=0)
    looked = np.isfinite(added)
    if looked.any():
        odds = chances[looked] / np.maximum(1 - chances[looked], 1e-12)
        added[looked] -= np.average(added[looked], weights=np.maximum(odds, 1e-300))
    return np.where(looked, added, 0)
