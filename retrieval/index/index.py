"""The search index of a store: a short list of segments, each with its outdated rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from retrieval.arrays import present_rows
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import BleuVariant
from retrieval.bleu.sparse import CandidateSource
from retrieval.index.files import Sealed
from retrieval.index.frames import NO_FILM, FrameMap
from retrieval.index.segment import Segment
from retrieval.metadata.postings import MetadataPostings
from retrieval.vectors.base import RankedItems, Vectors
from retrieval.vectors.local import Column, LocalVectorStore
from retrieval.vectors.pieces import Pieces, mark_absent

CANDIDATES = 3
"""How many candidates are scored for each picture that is wanted, where they are not all that share a word."""
WORDS_KEPT = 2**14
"""Words whose number of pictures is kept, of one state of the index."""


@dataclass(frozen=True, eq=False)
class Part:
    """A segment, its `absent` rows (bool (n,), None for no row), and its folder if it has one.

    A picture that was changed or removed since the segment was made is absent from it.
    """

    segment: Segment
    absent: np.ndarray | None = None
    stored: Sealed | None = None

    @property
    def rows(self) -> np.ndarray:
        """The rows that are present, rising."""
        return present_rows(len(self.segment), self.absent)

    @property
    def ids(self) -> np.ndarray:
        """The ids of the items that are present, rising."""
        return self.segment.ids[self.rows]

    @cached_property
    def frames(self) -> tuple[np.ndarray, np.ndarray]:
        """The frames that are present, rising, and their films; int64 (f,) each."""
        films = self.segment.films
        rows = self.rows[films[self.rows] != NO_FILM] if len(films) else np.zeros(0, np.int64)
        return self.segment.ids[rows], films[rows]

    @cached_property
    def models(self) -> dict[str, Counter[str]]:
        """For each kind, how many vectors of present items each model version made."""
        return {name: kind.counts(self.rows) for name, kind in self.segment.kinds.items()}

    def __len__(self) -> int:
        """The number of items that are present."""
        return len(self.segment) - self._dead

    def without(self, ids: np.ndarray) -> Part:
        """Return the same part without the items `ids`."""
        return replace(self, absent=mark_absent(self.segment.ids, self.absent, ids))

    @cached_property
    def _dead(self) -> int:
        return 0 if self.absent is None else int(np.count_nonzero(self.absent))


class Captions:
    """The postings of all segments, keyed by id, see `BleuPostings`."""

    def __init__(
        self, pieces: Pieces, segments: Sequence[BleuPostings], items: int, source: CandidateSource | None = None
    ) -> None:
        """`items` is the number of those present. A `source` finds the best of many instead of the postings."""
        self._pieces, self._segments = pieces, segments
        self._items, self._source = items, source
        self._saying: dict[str, int] = {}

    def warm_up(self) -> None:
        """Load what makes large segments fast, see `BleuPostings.warm_up`."""
        for segment in self._segments:
            segment.warm_up()

    def top(
        self, query: Sequence[str], variant: BleuVariant, count: int, allowed: np.ndarray | None = None
    ) -> RankedItems:
        """Return the `count` best pictures that share a word, among the `allowed` ids (rising) if given.

        Scores are exact. Where candidates are found elsewhere, some of the last may be missed.
        """
        candidates = self._candidates(query, variant, count, allowed)
        if candidates is not None:
            scores = self.scores(query, variant, candidates)
            order = np.argsort(-scores, kind="stable")[:count]
            order = order[scores[order] > 0]
            return RankedItems(candidates[order], scores[order])
        pairs = zip(self._segments, self._pieces.absent_but(allowed), strict=True)
        return self._pieces.best([segment.top(query, variant, count, absent) for segment, absent in pairs], count)

    def _candidates(
        self, query: Sequence[str], variant: BleuVariant, count: int, allowed: np.ndarray | None
    ) -> np.ndarray | None:
        """Return ids, rising, among which are the best; None if the postings have to find them."""
        wanted = CANDIDATES * count
        if self._source is None or wanted >= self._items:
            return None
        if allowed is None:
            return self._source.find(query, variant, wanted)
        if len(allowed) <= wanted:
            return allowed
        more = wanted * self._items // len(allowed)  # as many of them as `wanted` are allowed, about
        found = self._source.find(query, variant, more) if more < self._items else None
        if found is None:
            return None
        kept = found[np.isin(found, allowed, assume_unique=True)]
        return kept if len(kept) >= wanted // 2 or len(found) < more else None

    def scores(self, query: Sequence[str], variant: BleuVariant, ids: np.ndarray) -> np.ndarray:
        """Return the BLEU, float64 (m,), of the pictures of rising `ids` (m,)."""
        return self._pieces.gather(ids, lambda piece, rows: self._segments[piece].at(query, variant, rows))

    def spread(self, words: Sequence[str]) -> np.ndarray:
        """Return how many pictures' captions have each of `words` (w,), int64 (w,)."""
        return np.array([self._pictures_saying(word) for word in words], np.int64)

    def _pictures_saying(self, word: str) -> int:
        """One query asks for the same words several times: to read, to correct, to rank it."""
        found = self._saying.get(word)
        if found is None:
            pairs = zip(self._segments, self._pieces.absent_but(None), strict=True)
            found = sum(int(segment.spread([word], absent)[0]) for segment, absent in pairs)
            if len(self._saying) >= WORDS_KEPT:
                self._saying.clear()
            self._saying[word] = found
        return found

    def saying_pair(self, pair: Sequence[str]) -> int:
        """Return how many pictures' captions have two words one after the other; quick, and not exact after changes."""
        return sum(segment.saying_pair(pair) for segment in self._segments)

    def ids_with(self, words: Sequence[str]) -> np.ndarray:
        """Return the ids of the pictures whose captions say `words` one after the other, rising; see `rows_with`."""
        return self._pieces.ids_at([segment.rows_with(words) for segment in self._segments])


class MetadataIndex:
    """What pictures are called and say of themselves, over all segments, see `MetadataPostings`."""

    def __init__(self, pieces: Pieces, segments: Sequence[MetadataPostings]) -> None:
        self._pieces, self._segments = pieces, segments

    def find(self, term: str) -> np.ndarray:
        """Return the ids of the pictures with a term, int64, rising."""
        return self._pieces.ids_at([segment.find(term) for segment in self._segments])

    def taken(self, includes: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the ids, int64, rising, of the pictures taken on days (numbers as 20190504) that it includes."""
        return self._pieces.ids_at([np.flatnonzero(includes(segment.days)) for segment in self._segments])


@dataclass(frozen=True, eq=False)
class Index:
    """The items of all `parts`, at least one; each item is present in only one of them.

    `models` names for each kind of vector the model version whose vectors are searched; `generation` is the
    indexed state of the store. Each `damage` is a line about a segment that was lost. `remote` are the vectors where
    the segments have none, `candidates` finds pictures for BLEU, and `degraded` says what is missing for now.
    """

    parts: tuple[Part, ...]
    models: Mapping[str, str]
    generation: int
    damage: tuple[str, ...] = ()
    remote: Vectors | None = None
    candidates: CandidateSource | None = None
    degraded: str = ""

    def __len__(self) -> int:
        """The number of items."""
        return sum(len(part) for part in self.parts)

    @cached_property
    def captions(self) -> Captions:
        """The captions."""
        return Captions(self._pieces, [part.segment.postings for part in self.parts], len(self), self.candidates)

    @cached_property
    def captioned(self) -> int:
        """The number of items that have a caption."""
        return sum(part.segment.postings.captioned(part.rows) for part in self.parts)

    def vectors_of(self, kind: str, version: str) -> int:
        """Return the number of items that have a vector of this kind by this model version."""
        return sum(part.models[kind][version] for part in self.parts if kind in part.models)

    @cached_property
    def metadata(self) -> MetadataIndex:
        """Names, folders, keywords and dates."""
        return MetadataIndex(self._pieces, [part.segment.metadata for part in self.parts])

    @cached_property
    def vectors(self) -> Vectors:
        """The vectors of all kinds."""
        if self.remote is not None:
            return self.remote
        return LocalVectorStore(
            {
                kind: Column(version, self._pieces, [part.segment.kinds[kind].vectors for part in self.parts])
                for kind, version in self.models.items()
                if all(kind in part.segment.kinds for part in self.parts)
            }
        )

    def scan(self, kind: str, queries: Sequence[np.ndarray]) -> None:
        """Compare vectors with all of a kind at once, before each is searched for; that is only quicker."""
        if self.remote is None and kind in self.vectors.models:
            for part in self.parts:
                part.segment.kinds[kind].vectors.scan(queries)

    @cached_property
    def frames(self) -> FrameMap:
        """Which items are frames of films."""
        return FrameMap.joined([part.frames for part in self.parts])

    @cached_property
    def ids(self) -> np.ndarray:
        """The ids of all items, int64, rising."""
        return np.sort(self._pieces.present_ids())

    def by_user(self, ids: np.ndarray) -> np.ndarray:
        """Return whether a person captioned each of the pictures of rising `ids` (m,)."""
        return self._pieces.gather(ids, lambda piece, rows: self.parts[piece].segment.by_user[rows])

    def holds(self, item_id: int) -> bool:
        """Return whether the item is searched."""
        return self._pieces.holds(item_id)

    @property
    def main_models(self) -> dict[str, str]:
        """For each kind the model version that made most of its vectors, the first by name of several."""
        counts: dict[str, Counter[str]] = {}
        for part in self.parts:
            for kind, made in part.models.items():
                counts[kind] = counts.get(kind, Counter()) + made
        return {kind: min(made, key=lambda version: (-made[version], version)) for kind, made in counts.items() if made}

    @cached_property
    def _pieces(self) -> Pieces:
        return Pieces([part.segment.ids for part in self.parts], [part.absent for part in self.parts])
