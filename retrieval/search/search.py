"""Search by words, described pictures, or several of both: clauses, their pipelines, one relevance, a page of hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from captioner.types import SearchModel
from data.store import Store, StoredPicture
from data.text import stems
from retrieval.index.index import Index
from retrieval.search.clauses import ClausePlan, Planner
from retrieval.search.filters import Selection
from retrieval.search.query import Query, QueryError
from retrieval.search.relevance import combine
from retrieval.search.results import Hit, SearchResult
from retrieval.vectors.pieces import distinct

DEFAULT_LIMIT = 30
MAX_LIMIT = 1000


@dataclass(frozen=True)
class Ranking:
    """The candidates of a query, best first: picture ids int64 (n,), relevance, and the scores behind it by name (n,).

    The first `hits` of them are close enough to be hits. `more`: others that share a word with the query are left out.
    """

    ids: np.ndarray
    scores: np.ndarray
    hits: int
    parts: Mapping[str, np.ndarray]
    more: bool

    def first(self, count: int) -> Ranking:
        """The best `count`."""
        return self.at(slice(count))

    def at(self, places: slice | np.ndarray) -> Ranking:
        """Those at `places`, in that order."""
        parts = {name: one[places] for name, one in self.parts.items()}
        return replace(self, ids=self.ids[places], scores=self.scores[places], parts=parts)


class Searcher:
    """Answers queries over one state of the library; may be used by several threads at once."""

    def __init__(self, store: Store, index: Index, model: SearchModel | None = None) -> None:
        """Search `index`; the texts and paths of the hits come from `store`, the sense of sentences from `model`."""
        self.index = index
        self._store = store
        self._model = model

    def search(
        self,
        query: Query,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        distant: bool = False,
        selection: Selection | None = None,
    ) -> SearchResult:
        """Return a page of hits among the selected pictures; with `distant` also those that are not close.

        Where words take part, a picture has to be close to be a hit; likeness to a picture alone has no such border.
        Raises QueryError or StoreError.
        """
        _check_page(limit, offset)
        wanted, unwanted = self._plan(query, selection)
        ranking = self._rank(wanted, unwanted)
        closest = float(ranking.scores[0]) if len(ranking.ids) else None
        ranking = _hits(ranking, distant, selection)
        captions = [caption for plan in wanted for caption in plan.clause.captions]
        hits = self._page(ranking, stems(query.text), range(offset, min(offset + limit, len(ranking.ids))))
        unsaid = [word for plan in wanted for word in plan.unsaid]
        return SearchResult(_told(query, captions), len(ranking.ids), ranking.more, closest, unsaid, hits)

    def without_reranker(self) -> Searcher:
        """The same searcher without the reranker."""
        return Searcher(self._store, self.index, self._model._replace(likelihood=None) if self._model else None)

    def planner(self, allowed: np.ndarray | None = None) -> Planner:
        """Return what makes pipelines over this state of the library, for the ids `allowed` (rising) or all."""
        return Planner(self._store, self.index, self._model, allowed)

    def hits(self, query: Query, distant: bool = False, selection: Selection | None = None) -> Ranking:
        """Return all hits in order, as `search` pages them. Raises QueryError."""
        return _hits(self._rank(*self._plan(query, selection)), distant, selection)

    def rank(self, query: Query) -> Ranking:
        """Rank all candidates, close or not. Raises QueryError."""
        return self._rank(*self._plan(query))

    def _plan(self, query: Query, selection: Selection | None = None) -> tuple[list[ClausePlan], list[ClausePlan]]:
        """What is wanted and what is not, each clause with its pipeline."""
        planner = self.planner(None if selection is None else selection.ids)
        like = [planner.picture(f"like{place}", one, query.by) for place, one in enumerate(query.like, 1)]
        unlike = [planner.picture(f"unlike{place}", one, query.by) for place, one in enumerate(query.unlike, 1)]
        words = [planner.words(query.text)] if query.text or not like else []
        return [*words, *like], unlike

    def _rank(self, wanted: Sequence[ClausePlan], unwanted: Sequence[ClausePlan]) -> Ranking:
        """Order candidates by relevance, ties by the first clause's own score and then by id.

        What no clause speaks for, with a relevance of 0, is left out.
        """
        found = [plan.pipeline.retrieve(plan.clause) for plan in wanted]
        ids = distinct([one.ids for one in found])
        alone = len(wanted) + len(unwanted) == 1
        scores: dict[str, np.ndarray] = {}
        relevances = []
        for plan, retrieved in [*zip(wanted, found, strict=True), *((plan, None) for plan in unwanted)]:
            own = plan.score(ids, retrieved)
            scores |= {name if alone else f"{plan.clause.name}.{name}": one for name, one in own.scores.items()}
            relevances.append((plan.pipeline.fusion(plan.clause, own), plan.clause.weight))
        relevance = relevances[0][0] if alone else combine(relevances[: len(wanted)], relevances[len(wanted) :])
        first = wanted[0]
        tie_break = scores[first.pipeline.tie_break if alone else f"{first.clause.name}.{first.pipeline.tie_break}"]
        order = np.lexsort((ids, -tie_break, -relevance))
        order = order[relevance[order] > 0]
        hits = int(np.count_nonzero(relevance[order] >= max(plan.pipeline.close for plan in wanted)))
        ordered = {name: one[order] for name, one in scores.items()}
        return Ranking(ids[order], relevance[order], hits, ordered, any(one.more for one in found))

    def _page(self, ranking: Ranking, words: Sequence[str], page: range) -> list[Hit]:
        """The hits at the places of `page`; a picture that was removed since the index was read is left out."""
        ids = ranking.ids[page.start : page.stop].tolist()
        pictures = self._store.pictures(ids)
        found = [(place, pictures[one]) for place, one in zip(page, ids, strict=True) if one in pictures]
        return [_hit(picture, ranking, place, words) for place, picture in found]


def _hits(ranking: Ranking, distant: bool, selection: Selection | None) -> Ranking:
    """Those candidates that are hits, in the order asked for."""
    hits = ranking if distant else ranking.first(ranking.hits)
    return hits if selection is None else hits.at(selection.sorted(hits.ids))


def _check_page(limit: int, offset: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryError(f"the limit is {limit}; give a number from 1 to {MAX_LIMIT}")
    if offset < 0:
        raise QueryError(f"the offset is {offset}; give 0 or more")


def _told(query: Query, captions: Sequence[str]) -> dict[str, Any]:
    """What the answer says of the query: its words, and what its pictures were taken to show."""
    shown = [caption for caption in captions if caption != query.text]
    return {"text": query.text, "captions": shown} if query.text else {"captions": shown}


def _hit(picture: StoredPicture, ranking: Ranking, place: int, words: Sequence[str]) -> Hit:
    """One hit; its caption is the one that says most of the query's words, the first where none does."""
    said = max(picture.texts, key=lambda caption: len({*words} & {*stems(caption)}), default="")
    scores = {name: round(float(one[place]), 6) for name, one in ranking.parts.items() if np.isfinite(one[place])}
    return Hit(picture, said, float(ranking.scores[place]), scores)
