"""Search by words or by a described picture: candidates by BLEU and cosine, fused, one page of hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioner.types import Description
from data.errors import RetroflexError
from data.paths import display, from_bytes
from data.store import Store, StoredPicture
from data.text import tokenize
from retrieval.fusion import Weights, fuse
from retrieval.index import Index
from retrieval.results import Hit, SearchResult

DEFAULT_LIMIT = 30
MAX_LIMIT = 1000
MAX_WORDS = 1000
WORD_WEIGHTS = Weights(bleu=0.6, cosine=0.4)
PICTURE_WEIGHTS = Weights(bleu=0.3, cosine=0.7)
NEAREST = 1000  # How many of the nearest vectors are candidates beside those that share a word.
FEEDBACK = 10  # How many of the best BLEU hits say what the query looks like.
MAX_FEEDBACK = 500  # At most so many where more tie with the last of them.


class QueryError(RetroflexError):
    """The query or the page asked for is out of bounds; the message says what to change."""


@dataclass(frozen=True)
class Ranking:
    """Every hit of a query, best first: picture ids int64 (n,), fused scores, and the parts of each score (n,)."""

    ids: np.ndarray
    scores: np.ndarray
    bleu: np.ndarray
    cosine: np.ndarray


class Searcher:
    """Answers queries over one state of the library; may be used by several threads at once."""

    def __init__(self, store: Store, index: Index) -> None:
        """Search `index`; the texts and paths of the hits come from `store`."""
        self.index = index
        self._store = store

    def words(self, text: str, limit: int = DEFAULT_LIMIT, offset: int = 0) -> SearchResult:
        """Return a page of the pictures whose captions share a word with `text`. Raises QueryError or StoreError."""
        _check_page(limit, offset)
        return self._page({"text": text, "captions": []}, self.rank_words(text), limit, offset)

    def description(self, description: Description, limit: int = DEFAULT_LIMIT, offset: int = 0) -> SearchResult:
        """Return a page of the pictures like the described one. Raises QueryError or StoreError."""
        _check_page(limit, offset)
        captions = [caption.text for caption in description.captions]
        return self._page({"captions": captions}, self.rank_description(description), limit, offset)

    def rank_words(self, text: str) -> Ranking:
        """Rank all pictures that share a word with `text`. Raises QueryError when it is empty or too long.

        The cosine is to the mean vector of the best BLEU hits, weighted by their BLEU: pseudo-relevance feedback
        (Rocchio, 1971) without the original query, which has no vector of its own.
        """
        rows, bleu = self.index.postings.scores(_query_words(text))
        best = _feedback(bleu)
        cosine = self.index.vectors.cosine(self.index.vectors.mean(rows[best], bleu[best]), rows)
        return self._ranking(rows, bleu, cosine, WORD_WEIGHTS)

    def rank_description(self, description: Description) -> Ranking:
        """Rank the nearest vectors and all pictures that share a word with one of the captions.

        BLEU is that of the caption that fits the picture's stored captions best.
        """
        bleu = np.zeros(len(self.index))
        for caption in description.captions:
            found, scores = self.index.postings.scores(tokenize(caption.text))
            bleu[found] = np.maximum(bleu[found], scores)
        near, _ = self.index.vectors.top(description.vector, NEAREST)
        rows = np.union1d(near, np.flatnonzero(bleu))
        cosine = self.index.vectors.cosine(description.vector, rows)
        return self._ranking(rows, bleu[rows], cosine, PICTURE_WEIGHTS)

    def _ranking(self, rows: np.ndarray, bleu: np.ndarray, cosine: np.ndarray, weights: Weights) -> Ranking:
        """Order candidates by fused score, ties by cosine and then by id; those with a score of 0 are no hits."""
        scores = fuse(bleu, cosine, weights)
        order = np.lexsort((rows, -cosine, -scores))  # Rows rise with the ids.
        order = order[scores[order] > 0]
        return Ranking(self.index.ids[rows[order]], scores[order], bleu[order], cosine[order])

    def _page(self, query: dict[str, Any], ranking: Ranking, limit: int, offset: int) -> SearchResult:
        page = range(len(ranking.ids))[offset : offset + limit]
        pictures = self._store.pictures(ranking.ids[page.start : page.stop].tolist())
        # A picture that was removed since the index was read is left out.
        places = [place for place in page if int(ranking.ids[place]) in pictures]
        hits = [_hit(pictures[int(ranking.ids[place])], ranking, place) for place in places]
        return SearchResult(query, len(ranking.ids), hits)


def _check_page(limit: int, offset: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryError(f"the limit is {limit}; give a number from 1 to {MAX_LIMIT}")
    if offset < 0:
        raise QueryError(f"the offset is {offset}; give 0 or more")


def _query_words(text: str) -> Sequence[str]:
    words = tokenize(text)
    if not words:
        raise QueryError("the query has no words; say what the picture shows, such as: a dog on a beach")
    if len(words) > MAX_WORDS:
        raise QueryError(f"the query has {len(words):,} words; give {MAX_WORDS:,} at most")
    return words


def _feedback(bleu: np.ndarray) -> np.ndarray:
    """Return the places of the best BLEU hits, with those that tie with the last of them: ids decide nothing."""
    if len(bleu) <= FEEDBACK:
        return np.arange(len(bleu))
    last = np.partition(bleu, -FEEDBACK)[-FEEDBACK]
    return np.flatnonzero(bleu >= last)[:MAX_FEEDBACK]


def _hit(picture: StoredPicture, ranking: Ranking, place: int) -> Hit:
    captions = [caption.text for caption in picture.captions]
    return Hit(
        id=picture.id,
        path=display(from_bytes(picture.paths[0])) if picture.paths else "",
        caption=captions[0] if captions else "",
        captions=captions,
        score=float(ranking.scores[place]),
        scores={"bleu": float(ranking.bleu[place]), "cosine": round(float(ranking.cosine[place]), 6)},
    )
