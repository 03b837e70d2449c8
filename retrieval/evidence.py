"""What speaks for the pictures of a library: words, or a described picture, held against each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from captioner.types import Description, TextModel
from data.text import tokenize
from retrieval.bleu import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant
from retrieval.index import Index
from retrieval.query import QueryError
from retrieval.relevance import Parts, Relevance
from retrieval.selection import among, nearest

MAX_WORDS = 1000
NEAREST = 1000
"""How many of the nearest vectors are candidates, beside all pictures that share a word."""
CLOSE = 0.05
"""Relevance from which on a picture is a hit for words, as far as they are understood; see docs/ranking.md."""
LIKENESS = Relevance(-6.0, {"bleu": 1.0, "cosine": 6.0, "embedding": 4.0})
"""For pictures like a picture; see docs/ranking.md."""


class Evidence(Protocol):
    """One thing that is asked for."""

    name: str
    captions: list[str]
    """What the query says in words: the words typed, or the captions of the query picture."""
    close: float
    """The relevance from which on a picture is close to what is asked for."""

    def candidates(self, rows: np.ndarray | None) -> np.ndarray:
        """Rows of the pictures that come into question, rising, of the gallery `rows` (rising) or of all."""

    def parts(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Each kind of evidence for the pictures in `rows` (n,), float (n,)."""

    def relevance(self, parts: Parts, rows: np.ndarray) -> np.ndarray:
        """How likely each picture is what is asked for, float (n,) between 0 and 1."""


class WordEvidence:
    """BLEU of the words against the captions, and the cosine of the sentence to the pictures' embeddings."""

    name = "words"

    def __init__(self, index: Index, model: TextModel | None, text: str) -> None:
        """`model` is left out where another made the library's embeddings. Raises QueryError."""
        tokens = _query_words(text)
        self.captions = [text]
        self._index, self._bleu = index, _dense_bleu(index, [tokens], TYPED_VARIANT)
        usable = model if model is not None and model.version == index.model_version else None
        self._place = usable.embedder.embed(tokens) if usable else None
        self._known = usable.embedder.share_known(tokens) if usable else 0.0
        self._relevance = Relevance.from_json(usable.relevance["words"]) if usable else None
        self.close = CLOSE if usable else 0.0

    def candidates(self, rows: np.ndarray | None) -> np.ndarray:
        named = among(rows, np.flatnonzero(self._bleu))
        if self._place is None:
            return named
        return np.union1d(named, nearest(self._index.embeddings, self._place, NEAREST, rows))

    def parts(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        near = np.zeros(len(rows)) if self._place is None else self._index.embeddings.cosine(self._place, rows)
        return {"bleu": self._bleu[rows], "cosine": near}

    def relevance(self, parts: Parts, rows: np.ndarray) -> np.ndarray:
        """By the model's measure, as far as the words are known; a person's own caption counts for what it says."""
        if self._place is None or self._relevance is None:
            return parts["bleu"]
        found = self._relevance(parts) * self._known
        return np.where(self._index.by_user[rows], np.maximum(found, parts["bleu"]), found)


class PictureEvidence:
    """A described picture: how alike the two look, what they show, and BLEU between their captions."""

    def __init__(self, index: Index, described: Description, name: str) -> None:
        self.name, self.close = name, 0.0  # Likeness knows no border.
        self.captions = [caption.text for caption in described.captions]
        self._index, self._described = index, described
        self._bleu = _dense_bleu(index, [tokenize(text) for text in self.captions], CAPTION_VARIANT)

    def candidates(self, rows: np.ndarray | None) -> np.ndarray:
        near = nearest(self._index.vectors, self._described.vector, NEAREST, rows)
        return np.union1d(near, among(rows, np.flatnonzero(self._bleu)))

    def parts(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        place = self._described.embedding
        return {
            "bleu": self._bleu[rows],
            "cosine": self._index.vectors.cosine(self._described.vector, rows),
            "embedding": np.zeros(len(rows)) if place is None else self._index.embeddings.cosine(place, rows),
        }

    def relevance(self, parts: Parts, rows: np.ndarray) -> np.ndarray:
        return LIKENESS(parts)


def _query_words(text: str) -> Sequence[str]:
    words = tokenize(text)
    if not words:
        raise QueryError("the query has no words; say what the picture shows, such as: a dog on a beach")
    if len(words) > MAX_WORDS:
        raise QueryError(f"the query has {len(words):,} words; give {MAX_WORDS:,} at most")
    return words


def _dense_bleu(index: Index, sentences: Sequence[Sequence[str]], variant: BleuVariant) -> np.ndarray:
    """Mean BLEU of the sentences to each picture's captions, float64 (pictures,)."""
    bleu = np.zeros(len(index))
    for sentence in sentences:
        bleu += index.postings.dense(sentence, variant) / len(sentences)
    return bleu
