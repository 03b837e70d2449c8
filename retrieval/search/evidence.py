"""What speaks for the pictures of a library: words, or a described picture, held against each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from captioner.bundle import UNSAID
from captioner.types import Description, TextModel
from data.text import tokenize
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant
from retrieval.index.index import Index
from retrieval.index.joined import JoinedVectors, distinct
from retrieval.search.commonness import prior_shift
from retrieval.search.query import QueryError
from retrieval.search.relevance import Parts, Relevance, sigmoid
from retrieval.search.second_look import SecondLook, looks
from retrieval.search.unsaid import unsaid_share

MAX_WORDS = 1000
NEAREST = 1000
"""How many of the nearest vectors are candidates: as many as one page of hits may show."""
EVERY = 20_000
"""Pictures up to which all that share a word are candidates too; beyond, the NEAREST by BLEU. Most pictures share some
word with most queries, and each candidate costs two microseconds, most of them for its cosine."""
CLOSE = 0.05
"""Relevance from which on a picture is a hit for words, as far as they are understood; see docs/ranking.md."""
LIKENESS = Relevance(-6.0, {"bleu": 1.0, "cosine": 6.0, "embedding": 4.0})
"""For pictures like a picture; see docs/ranking.md."""


Views = Callable[[np.ndarray], Sequence[bytes | None]]
"""What the decoder sees of the pictures in some rows, see `captioner.views`; None where it is not known."""


class Candidates(NamedTuple):
    """Rows of the pictures that come into question, rising; `more` where others that share a word were left out."""

    rows: np.ndarray
    more: bool


class Evidence(Protocol):
    """One thing that is asked for."""

    name: str
    captions: list[str]
    """What the query says in words: the words typed, or the captions of the query picture."""
    close: float
    """The relevance from which on a picture is close to what is asked for."""

    def candidates(self) -> Candidates:
        """The pictures that come into question."""

    def parts(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Each kind of evidence for the pictures in rising `rows` (n,), float (n,); NaN where it was not gathered."""

    def relevance(self, parts: Parts, rows: np.ndarray) -> np.ndarray:
        """How likely each picture is what is asked for, float (n,) between 0 and 1."""


class WordEvidence:
    """BLEU of the words against the captions, the cosine of the sentence to the pictures' embeddings, a second look."""

    name = "words"

    def __init__(self, index: Index, model: TextModel | None, text: str, views: Views, library: Index) -> None:
        """Look among the pictures of `index`; what is common is judged by all of the `library`.

        `model` is left out where another made the library's embeddings. Raises QueryError.
        """
        self._tokens = tokens = _query_words(text)
        self.captions = [text]
        self._index, self._bleu, self._views = index, _Bleu(index, [tokens], TYPED_VARIANT), views
        usable = model if model is not None and model.version == index.model_version else None
        place = usable.embedder.embed(tokens) if usable else None
        self._nearness = None if place is None else _Nearness(index.embeddings, place)
        self._known = usable.embedder.share_known(tokens) if usable else 0.0
        self._relevance = Relevance.from_json(usable.relevance["words"]) if usable else None
        second = SecondLook.of(usable) if usable and looks(tokens) else None
        self._second = second if second and second.can_read(tokens) else None
        self._prior_shift = prior_shift(tokens, library.postings, len(library)) if usable else 0.0
        if usable and UNSAID in usable.relevance:
            share = unsaid_share(text, library.postings, usable.embedder.synonyms)
            self._prior_shift += share * usable.relevance[UNSAID]["share"]
        self.close = CLOSE if usable else 0.0

    def candidates(self) -> Candidates:
        named = self._bleu.candidates()
        return named if self._nearness is None else _with_nearest(named, self._nearness)

    def parts(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        near = np.zeros(len(rows)) if self._nearness is None else self._nearness.at(rows)
        first = {"bleu": self._bleu.at(rows), "cosine": near}
        return first | self._look_again(first, rows)

    def _look_again(self, first: Parts, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Dearer evidence for the best by what there is so far, NaN for the others and those without views."""
        if self._nearness is None or self._relevance is None or self._second is None:
            return {}
        best = np.sort(np.lexsort((rows, -self._relevance.logit(first)))[: looks(self._tokens)])
        views = self._views(rows[best])
        seen = best[[one is not None for one in views]]
        spread = {name: np.full(len(rows), np.nan) for name in self._second.weights}
        if len(seen):
            places, known = self._index.embeddings.at(rows[seen]), [one for one in views if one is not None]
            for name, one in self._second.parts(self._tokens, known, places).items():
                spread[name][seen] = one
        return spread

    def relevance(self, parts: Parts, rows: np.ndarray) -> np.ndarray:
        """By the model's measure, as far as the words are known; a person's own caption counts for what it says."""
        if self._nearness is None or self._relevance is None:
            return parts["bleu"]
        logits = self._relevance.logit(parts)
        if self._second is not None:
            logits += self._second.shift(parts, sigmoid(logits))
        found = sigmoid(logits + self._prior_shift) * self._known
        return np.where(self._index.by_user_at(rows), np.maximum(found, parts["bleu"]), found)


class PictureEvidence:
    """A described picture: how alike the two look, what they show, and BLEU between their captions."""

    def __init__(self, index: Index, described: Description, name: str) -> None:
        self.name, self.close = name, 0.0  # Likeness knows no border.
        self.captions = [caption.text for caption in described.captions]
        self._index, self._described = index, described
        self._looks = _Nearness(index.vectors, described.vector)
        self._bleu = _Bleu(index, [tokenize(text) for text in self.captions], CAPTION_VARIANT)

    def candidates(self) -> Candidates:
        return _with_nearest(self._bleu.candidates(), self._looks)

    def parts(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        place = self._described.embedding
        return {
            "bleu": self._bleu.at(rows),
            "cosine": self._looks.at(rows),
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


class _Bleu:
    """Mean BLEU of sentences to each picture's captions."""

    def __init__(self, index: Index, sentences: Sequence[Sequence[str]], variant: BleuVariant) -> None:
        self._index, self._sentences, self._variant = index, sentences, variant

    def candidates(self) -> Candidates:
        pictures = len(self._index)
        count = pictures if pictures <= EVERY else NEAREST
        found = [self._index.postings.top(sentence, self._variant, count) for sentence in self._sentences]
        rows = [rows[scores > 0] for rows, scores in found]
        more = count < pictures and any(len(own) == count for own in rows)
        return Candidates(distinct(rows), more)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Float64 (n,) for the pictures in rising `rows` (n,)."""
        bleu = np.zeros(len(rows))
        for sentence in self._sentences:
            bleu += self._index.postings.at(sentence, self._variant, rows) / len(self._sentences)
        return bleu


class _Nearness:
    """Cosines of a vector to the pictures. Those of the nearest are kept: to read rows of many vectors is dear."""

    def __init__(self, vectors: JoinedVectors, vector: np.ndarray) -> None:
        self._vectors, self._vector = vectors, vector
        self._rows, self._cosines = np.zeros(0, np.int64), np.zeros(0, np.float32)

    def nearest(self) -> np.ndarray:
        """The rows of the NEAREST, rising."""
        rows, cosines = self._vectors.top(self._vector, NEAREST)
        order = np.argsort(rows)
        self._rows, self._cosines = rows[order], cosines[order]
        return self._rows

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Float32 (n,) for the pictures in rising `rows` (n,)."""
        places = np.searchsorted(self._rows, rows)
        kept = np.append(self._rows, -1)[places] == rows
        cosines = np.empty(len(rows), np.float32)
        cosines[kept] = self._cosines[places[kept]]
        cosines[~kept] = self._vectors.cosine(self._vector, rows[~kept])
        return cosines


def _with_nearest(named: Candidates, nearness: _Nearness) -> Candidates:
    return named._replace(rows=distinct([named.rows, nearness.nearest()]))
