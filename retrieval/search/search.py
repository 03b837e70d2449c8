"""Search by words, described pictures, or several of both: clauses, their pipelines, one relevance, a page of hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from captioner.types import SearchModel
from data.errors import nearest_of
from data.films.reads import films_by_id
from data.records import PictureText
from data.roots import read_roots
from data.store import Store, StoredPicture
from data.text import stems
from retrieval.index.index import Index
from retrieval.search.clauses import WORDS, ClausePlan, Planner
from retrieval.search.filters import Selection
from retrieval.search.grouping import Group, Grouping
from retrieval.search.metadata import METADATA
from retrieval.search.people import People
from retrieval.search.query import Query, QueryError, QueryFilm
from retrieval.search.reading import Reader, Reading
from retrieval.search.relevance import combine
from retrieval.search.results import FoundFrame, Hit, SearchResult
from retrieval.search.spelling import Slip
from retrieval.vectors.base import UNREACHABLE, VectorsUnreachable
from retrieval.vectors.pieces import distinct

DEFAULT_LIMIT = 30
MAX_LIMIT = 1000


@dataclass(frozen=True)
class Ranking:
    """The candidates of a query, best first: picture ids int64 (n,), relevance, and the scores behind it by name (n,).

    The first `hits` of them are close enough to be hits. `more`: others that share a word with the query are left out.
    `items` (n,) has for a film the id of its best frame, for a picture its own; None if there are no films.
    """

    ids: np.ndarray
    scores: np.ndarray
    hits: int
    parts: Mapping[str, np.ndarray]
    more: bool
    items: np.ndarray | None = None

    def first(self, count: int) -> Ranking:
        """Return the best `count`."""
        return self.at(slice(count))

    def at(self, rows: slice | np.ndarray) -> Ranking:
        """Return those at `rows`, in that order."""
        parts = {name: scores[rows] for name, scores in self.parts.items()}
        items = None if self.items is None else self.items[rows]
        return replace(self, ids=self.ids[rows], scores=self.scores[rows], parts=parts, items=items)


class Searcher:
    """Answers queries over one state of the library; may be used by several threads at once."""

    def __init__(self, store: Store, index: Index, model: SearchModel | None = None) -> None:
        """Search `index`; the captions and paths of hits come from `store`, vectors of sentences from `model`."""
        self.index = index
        self._store = store
        self._model = model
        self._people = People(store, index)
        self._reader = Reader(store, index, model, self._people)

    def slips(self, text: str) -> list[Slip]:
        """Return the words of a text that nobody knows, and what may be meant."""
        return self._reader.slips(text)

    def search(
        self,
        query: Query,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        distant: bool = False,
        selection: Selection | None = None,
        grouping: Grouping | None = None,
    ) -> SearchResult:
        """Return a page of hits among the selected pictures, in groups if they are given; with `distant` also those
        that are not close.

        A picture has to be close to be a hit, except to a query of pictures to be unlike, or by a kind of vectors.
        Where vectors cannot be reached, captions alone are searched, which the result says as `degraded`; a query by a
        kind of vectors raises VectorsUnreachable. Raises QueryError or StoreError.
        """
        check_page(limit, offset)
        try:
            return self._search(query, limit, offset, distant, selection, grouping)
        except VectorsUnreachable:
            if query.by is not None:
                raise
            return self._by_captions()._search(query, limit, offset, distant, selection, grouping)

    def _by_captions(self) -> Searcher:
        """Return a searcher that does without vectors."""
        index = replace(self.index, models={}, remote=None, candidates=None, degraded=UNREACHABLE)
        return Searcher(self._store, index, self._model)

    def _search(
        self,
        query: Query,
        limit: int,
        offset: int,
        distant: bool,
        selection: Selection | None,
        grouping: Grouping | None,
    ) -> SearchResult:
        reading = self._reader.read(query)
        like, unlike = self._plan(query, reading, selection)
        ranking = self._rank(like, unlike)
        closest = float(ranking.scores[0]) if len(ranking.ids) else None
        ranking, groups = _grouped(_hits(_near(ranking, like, query), distant, selection), grouping)
        captions = [caption for plan in like if plan.clause.name != WORDS for caption in plan.clause.captions]
        page = range(offset, min(offset + limit, len(ranking.ids)))
        hits = self._page(ranking, stems(reading.text), page, like[0])
        unsaid = [word for plan in like for word in plan.unsaid]
        told, read = _query_as_json(query, captions), _as_read(reading) | {"degraded": self.index.degraded or None}
        return SearchResult(told, len(ranking.ids), ranking.more, closest, unsaid, hits, groups=groups, **read)

    def without_reranker(self) -> Searcher:
        """Return the same searcher without the reranker."""
        return Searcher(self._store, self.index, self._model._replace(likelihood=None) if self._model else None)

    def check_kind(self, kind: str) -> None:
        """Raise QueryError, with the nearest name, unless the library has vectors of this kind."""
        known = self.index.vectors.models
        if kind not in known and self.index.degraded:
            raise VectorsUnreachable(f"vectors of the kind {kind[:40]!r} cannot be searched now; try again later")
        if kind not in known:
            raise QueryError(f"the library has no vectors of the kind {kind[:40]!r}; {nearest_of(kind, sorted(known))}")

    def _check_vectors(self, query: Query, kind: str) -> None:
        self.check_kind(kind)
        for image in (*query.like, *query.unlike):
            described = image.frames if isinstance(image, QueryFilm) else [image.description]
            vectors = [one.vectors.get(kind) for one in described]
            if not any(vector is not None and np.any(vector) for vector in vectors):
                raise QueryError(
                    f"a query picture has no vector of the kind {kind}: it shows nothing of it, as an empty sketch, "
                    f"or is a picture of the library that needs: retroflex index --features {kind}"
                )

    def planner(self, allowed: np.ndarray | None = None) -> Planner:
        """Return what makes pipelines over this state of the library, for the ids `allowed` (rising) or all."""
        return Planner(self._store, self.index, self._model, allowed, self._people)

    def hits(
        self,
        query: Query,
        distant: bool = False,
        selection: Selection | None = None,
        grouping: Grouping | None = None,
    ) -> Ranking:
        """Return all hits in order, as `search` pages them. Raises QueryError."""
        try:
            return self._all_hits(query, distant, selection, grouping)
        except VectorsUnreachable:
            if query.by is not None:
                raise
            return self._by_captions()._all_hits(query, distant, selection, grouping)

    def _all_hits(self, query: Query, distant: bool, selection: Selection | None, grouping: Grouping | None) -> Ranking:
        like, unlike = self._plan(query, self._reader.read(query), selection)
        ranking = _near(self._rank(like, unlike), like, query)
        return _grouped(_hits(ranking, distant, selection), grouping)[0]

    def rank(self, query: Query) -> Ranking:
        """Rank all candidates, close or not. Raises QueryError."""
        return self._rank(*self._plan(query, self._reader.read(query)))

    def _plan(
        self, query: Query, reading: Reading, selection: Selection | None = None
    ) -> tuple[list[ClausePlan], list[ClausePlan]]:
        """Return the clauses to be like and those to be unlike, each with its pipeline."""
        if query.by is not None:
            self._check_vectors(query, query.by)
        selected = None if selection is None else self.index.frames.with_frames(selection.ids)
        planner = self.planner(_both(reading.allowed, selected))
        like = [planner.like(f"like{number}", image, query.by) for number, image in enumerate(query.like, 1)]
        unlike = [planner.picture(f"unlike{number}", image, query.by) for number, image in enumerate(query.unlike, 1)]
        excluded = [planner.without(number, str(one)) for number, one in enumerate(reading.without, 1)]
        words = []
        if reading.text.strip() or not (like or unlike or excluded):
            words = [planner.words(reading.text, reading.uncounted)]
        if words and reading.quoted:
            words = [replace(one, pipeline=replace(one.pipeline, close=0.0)) for one in words]
        if words or like:
            return [*words, *like], [*unlike, *excluded]
        if unlike:
            return [planner.opposite("unlike1", query.unlike[0], query.by)], [*unlike[1:], *excluded]
        return [planner.everything()], excluded

    def _rank(self, like: Sequence[ClausePlan], unlike: Sequence[ClausePlan]) -> Ranking:
        """Order candidates by relevance, ties by the first clause's own score and then by id.

        Those that match by metadata come first. Items with a relevance of 0 are left out. A film is there once, by its
        best frame.
        """
        retrieved = [plan.pipeline.retrieve(plan.clause) for plan in like]
        ids = distinct([candidates.ids for candidates in retrieved])
        alone = len(like) + len(unlike) == 1
        scores: dict[str, np.ndarray] = {}
        relevances = []
        for plan, candidates in [*zip(like, retrieved, strict=True), *((plan, None) for plan in unlike)]:
            own = plan.score(ids, candidates)
            scores |= {name if alone else f"{plan.clause.name}.{name}": score for name, score in own.scores.items()}
            relevances.append((plan.pipeline.fusion(plan.clause, own), plan.clause.weight))
        relevance = relevances[0][0] if alone else combine(relevances[: len(like)], relevances[len(like) :])
        first = like[0]
        tie_break = scores[first.pipeline.tie_break if alone else f"{first.clause.name}.{first.pipeline.tie_break}"]
        by_metadata = scores.get(METADATA if alone else f"{first.clause.name}.{METADATA}", np.zeros(len(ids)))
        close = relevance >= _border(like)
        order = np.lexsort((ids, -tie_break, -relevance, -np.nan_to_num(by_metadata), ~close))
        order = order[relevance[order] > 0]
        places = self.index.frames.firsts(ids[order])
        order = order if places is None else order[places]
        hits = int(np.count_nonzero(close[order]))
        ordered = {name: score[order] for name, score in scores.items()}
        more = any(candidates.more for candidates in retrieved)
        found = self.index.frames.pictures_of(ids[order])
        return Ranking(found, relevance[order], hits, ordered, more, None if places is None else ids[order])

    def _page(self, ranking: Ranking, words: Sequence[str], page: range, plan: ClausePlan) -> list[Hit]:
        """Return the hits at the rows `page`; a picture that was removed since the index was read is left out."""
        matches, people = plan.matches, plan.people
        roots = [root.path for root in read_roots(self._store)] if matches else []
        ids = ranking.ids[page.start : page.stop].tolist()
        pictures = self._store.pictures(ids)
        present = [(row, pictures[number]) for row, number in zip(page, ids, strict=True) if number in pictures]
        matched = [
            [
                *(people.told if people and picture.id in people.ids else ()),
                *(matches.told(picture, roots) if matches else ()),
            ]
            for _, picture in present
        ]
        frames = self._frames(ranking, page)
        return [
            _hit(picture, ranking, row, words, told, frames.get(row))
            for (row, picture), told in zip(present, matched, strict=True)
        ]

    def _frames(self, ranking: Ranking, page: range) -> dict[int, FoundFrame]:
        """Return the best frame of each film on a page, by row; the first one where what is found is not in a frame."""
        if ranking.items is None:
            return {}
        ids, items = ranking.ids[page.start : page.stop].tolist(), ranking.items[page.start : page.stop].tolist()
        films = films_by_id(self._store, ids)
        best = {row: (films[film], item) for row, film, item in zip(page, ids, items, strict=True) if film in films}
        captions = self._store.captions([item for _, item in best.values()])
        return {
            row: FoundFrame.of(film, item, [caption.text for caption in captions.get(item, [])])
            for row, (film, item) in best.items()
        }


def _border(plans: Sequence[ClausePlan]) -> float:
    """Return the relevance from which on pictures are hits: the mean of the clauses' own, as relevance is combined."""
    borders = [(np.array(plan.pipeline.close), plan.clause.weight) for plan in plans if plan.pipeline.close]
    if len(borders) == 1:
        return float(borders[0][0])
    return float(combine(borders, [])) if borders else 0.0


def _near(ranking: Ranking, like: Sequence[ClausePlan], query: Query) -> Ranking:
    """Return the candidates whose cosine to a picture of the query is its least one, if it has one.

    That border stands for the one that was calibrated; words beside the pictures keep theirs.
    """
    if query.min_cosine is None:
        return ranking
    pictures = [plan.clause.name for plan in like if plan.clause.name.startswith("like")]
    score = query.by or "cosine"
    alone = score in ranking.parts
    cosines = [ranking.parts[score if alone else f"{name}.{score}"] for name in pictures]
    near = np.max(cosines, axis=0) >= query.min_cosine
    close = ranking.hits if len(pictures) < len(like) else len(ranking.ids)
    return replace(ranking.at(np.flatnonzero(near)), hits=int(np.count_nonzero(near[:close])))


def _grouped(ranking: Ranking, grouping: Grouping | None) -> tuple[Ranking, list[Group]]:
    """Return the hits with those of each group together, and the groups."""
    if grouping is None:
        return ranking, []
    order, groups = grouping.order(ranking.ids)
    return ranking.at(order), groups


def _hits(ranking: Ranking, distant: bool, selection: Selection | None) -> Ranking:
    """Return the candidates that are hits, in the order of the selection."""
    hits = ranking if distant else ranking.first(ranking.hits)
    return hits if selection is None else hits.at(selection.sorted(hits.ids))


def check_page(limit: int, offset: int) -> None:
    """Raise QueryError for a page that is out of bounds."""
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryError(f"the limit is {limit}; give a number from 1 to {MAX_LIMIT}")
    if offset < 0:
        raise QueryError(f"the offset is {offset}; give 0 or more")


def _both(some: np.ndarray | None, others: np.ndarray | None) -> np.ndarray | None:
    """The ids (rising) that are in both; None stands for all."""
    if some is None or others is None:
        return others if some is None else some
    return np.intersect1d(some, others, assume_unique=True)


def _query_as_json(query: Query, captions: Sequence[str]) -> dict[str, Any]:
    """Return the query's words, and the captions of its pictures."""
    return {"text": query.text, "captions": captions} if query.text else {"captions": captions}


def _as_read(reading: Reading) -> dict[str, Any]:
    """What the answer says of how the words were read, where that is not as they were typed."""
    return {
        "corrected": dict(zip(("from", "to"), reading.corrected, strict=True)) if reading.corrected else None,
        "expanded": dict(reading.expanded),
        "without": [str(one) for one in reading.without],
    }


def _hit(
    picture: StoredPicture,
    ranking: Ranking,
    row: int,
    words: Sequence[str],
    matched: Sequence[PictureText],
    frame: FoundFrame | None,
) -> Hit:
    """Return a hit, with the caption that says most of the query's words, the first where none does."""
    texts = [*picture.texts, *frame.captions] if frame else picture.texts
    said = max(texts, key=lambda caption: len({*words} & {*stems(caption)}), default="")
    scores = {name: round(float(part[row]), 6) for name, part in ranking.parts.items() if np.isfinite(part[row])}
    return Hit(picture, said, float(ranking.scores[row]), scores, matched, frame=frame)
