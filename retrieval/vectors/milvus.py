"""The vector store in Milvus, a database of vectors on servers, or in a file of this machine (Milvus Lite).

Each kind of a library is a collection, and one more has a row for each kind: see `Follows`. Vectors are kept at length
1, beside their length, and all are compared by inner product. The first read after a write of this process, and
`count`, wait until all is seen that anybody wrote (Strong consistency). Reads after that see it, too, and wait only
where Milvus is more than five seconds behind (Bounded): a server that was started again answers before it has read what
it holds, and would find nothing in it without a word (Eventually).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.errors import RetroflexError
from retrieval.vectors.base import RankedItems
from retrieval.vectors.milvus_client import SPARSE, MilvusConnection

MOST = 16_384
"""The most rows that Milvus returns for a query."""
LISTED = 16_384
"""The most ids in a filter. Milvus reads about a million a second."""
SPARSE_AT_ONCE = 1024
"""Sparse vectors that are sent at once, of some hundred numbers each."""
SPARE = 64
"""More than asked for, so that of equal vectors those with the lowest ids are found."""
BATCH_BYTES = 2**22
"""Of the vectors that are sent or read at once."""
EMPTY, WHOLE = 0, 2**62
DECIMALS = 6


@dataclass(frozen=True)
class Follows:
    """How far a kind follows the library: items up to the id `through` are those of its state `generation`.

    WHOLE stands for all items.
    """

    generation: int = EMPTY
    through: int = EMPTY


@dataclass(frozen=True)
class _Kind:
    """One kind: the model version of its vectors, of `size` numbers or SPARSE, and the collection that has them."""

    model_version: str
    collection: str
    size: int
    follows: Follows = Follows()


class MilvusVectorStore:
    """See `retrieval.vectors.base.VectorStore`. Every call may raise VectorsUnreachable."""

    def __init__(self, connection: MilvusConnection, library: str) -> None:
        """Use the collections whose names begin with `library`: letters, digits and underscores."""
        self._connection, self._library = connection, library
        self._kinds: dict[str, _Kind] | None = None
        self._written: set[str] = set()

    @property
    def models(self) -> Mapping[str, str]:
        return {kind: own.model_version for kind, own in list(self._known().items())}

    def search(self, kind: str, vector: np.ndarray, count: int, allowed: np.ndarray | None = None) -> RankedItems:
        own, unit = self._known().get(kind), _unit(vector)
        if own is None or unit is None or own.size != len(vector) or not count:
            return RankedItems(np.zeros(0, np.int64), np.zeros(0, np.float32))
        if allowed is None:
            return _best([self._nearest(own, unit, count + SPARE)], count)
        if len(allowed) > LISTED:
            for wider in (4, MOST):
                near = self._nearest(own, unit, min(MOST, wider * (count + SPARE)))
                kept = np.isin(near.ids, allowed)
                if np.count_nonzero(kept) >= count:
                    return _best([RankedItems(near.ids[kept], near.scores[kept])], count)
        return _best([self._nearest(own, unit, count + SPARE, piece) for piece in _pieces(allowed)], count)

    def _nearest(self, own: _Kind, unit: np.ndarray, count: int, among: np.ndarray | None = None) -> RankedItems:
        """Return about the `count` nearest, MOST at most, in Milvus' order."""
        count = min(count, MOST)
        found = self._read_from(
            own,
            "search",
            [unit],
            filter="" if among is None else _listed(among),
            limit=count,
            output_fields=["id"],
        )[0]
        scores = np.round(np.array(found.distances, np.float32), DECIMALS)
        return RankedItems(np.array(found.ids, np.int64), scores)

    def scores(self, kind: str, vector: np.ndarray, ids: np.ndarray) -> np.ndarray:
        own, unit = self._known().get(kind), _unit(vector)
        scores = np.zeros(len(ids), np.float32)
        if own is None or unit is None or own.size != len(vector):
            return scores
        known = np.zeros(len(ids), bool)
        for piece in _pieces(ids):
            near = self._nearest(own, unit, len(piece), piece)
            rows = np.searchsorted(ids, near.ids)
            scores[rows], known[rows] = near.scores, True
        # What has no vector, or was not reached.
        units, _ = self._read(own, ids[~known])
        scores[~known] = np.round(units @ unit, DECIMALS)
        return scores

    def get(self, kind: str, ids: np.ndarray) -> np.ndarray:
        own = self._known().get(kind)
        if own is None:
            return np.zeros((len(ids), 0), np.float32)
        units, lengths = self._read(own, ids)
        return _stored(units, lengths).astype(np.float32)

    def _read(self, own: _Kind, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors (m, d) at length 1 of the items of rising `ids` (m,) and their lengths, zeros without."""
        units, lengths = np.zeros((len(ids), own.size), np.float32), np.zeros(len(ids), np.float32)
        for piece in _pieces(ids, self._at_once(own)):
            rows = self._read_from(own, "query", ids=piece.tolist(), output_fields=["id", "vector", "length"])
            places = np.searchsorted(ids, [row["id"] for row in rows])
            for place, row in zip(places, rows, strict=True):
                units[place], lengths[place] = row["vector"], row["length"]
        return units, lengths

    def _read_from(self, own: _Kind, method: str, *arguments: Any, **options: Any) -> Any:
        strong = own.collection in self._written
        level = "Strong" if strong else "Bounded"
        # Milvus Lite builds an index of sparse vectors at its first search, which takes longer than a server may.
        ask = self._connection.write if self._connection.lite else self._connection.call
        found = ask(method, own.collection, *arguments, consistency_level=level, **options)
        if strong:
            self._written.discard(own.collection)
        return found

    def everything(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        own = self._known().get(kind)
        if own is None:
            return np.zeros(0, np.int64), np.zeros((0, 0), np.float16)
        pages = list(self._connection.pages(own.collection, ["id", "vector", "length"], self._at_once(own)))
        ids = np.array([row["id"] for page in pages for row in page], np.int64)
        units = np.array([row["vector"] for page in pages for row in page], np.float32).reshape(len(ids), own.size)
        lengths = np.array([row["length"] for page in pages for row in page], np.float32)
        there = np.flatnonzero(lengths)
        order = there[np.argsort(ids[there])]
        return ids[order], _stored(units[order], lengths[order])

    def upsert(self, kind: str, model_version: str, ids: np.ndarray, vectors: np.ndarray) -> None:
        own = self._known().get(kind)
        if own is None or own.model_version != model_version:
            own = self._begin(kind, model_version, vectors.shape[1])
        if own.size != vectors.shape[1]:
            raise RetroflexError(f"the vectors of {kind} by one model differ in length; index again")
        values = np.asarray(vectors, np.float16).astype(np.float32)
        lengths = np.linalg.norm(values, axis=1)
        units = values / np.where(lengths > 0, lengths, 1)[:, None]
        at_once = self._at_once(own)
        for start in range(0, len(ids), at_once):
            piece = slice(start, start + at_once)
            rows = zip(ids[piece].tolist(), units[piece], lengths[piece].tolist(), strict=True)
            sent = [{"id": item, "vector": unit, "length": length} for item, unit, length in rows]
            self._connection.write("upsert", own.collection, sent)
        self._written.add(own.collection)

    def delete(self, ids: np.ndarray) -> None:
        for kind in self.models:
            self.delete_of(kind, ids)

    # What follows a library needs more than the interface of vector stores.

    def upsert_sparse(
        self, kind: str, model_version: str, ids: Sequence[int], vectors: Sequence[Mapping[int, float]]
    ) -> None:
        """Put sparse vectors, values of 0 or more by dimension, as `upsert` does; no vector may be empty."""
        own = self._known().get(kind)
        if own is None or own.model_version != model_version:
            own = self._begin(kind, model_version, SPARSE)
        for start in range(0, len(ids), SPARSE_AT_ONCE):
            piece = slice(start, start + SPARSE_AT_ONCE)
            rows = zip(ids[piece], vectors[piece], strict=True)
            sent = [{"id": item, "vector": vector, "length": 1.0} for item, vector in rows]
            self._connection.write("upsert", own.collection, sent)
        if self._connection.lite and len(ids) >= SPARSE_AT_ONCE:
            self._connection.write("flush", own.collection)  # Milvus Lite compares one by one what it has not stored
        self._written.add(own.collection)

    def search_sparse(self, kind: str, vector: Mapping[int, float], count: int) -> np.ndarray:
        """Return the ids, rising, of up to `count`, at most MOST, whose product with `vector` is largest and not 0."""
        own = self._known().get(kind)
        if own is None or not vector:
            return np.zeros(0, np.int64)
        options = {"anns_field": "vector", "limit": count, "output_fields": ["id"]}
        return np.sort(np.array(self._read_from(own, "search", [vector], **options)[0].ids, np.int64))

    def delete_of(self, kind: str, ids: np.ndarray) -> None:
        """Delete the vectors of one kind of the items `ids` (m,)."""
        own = self._known()[kind]
        for piece in _pieces(ids):
            self._connection.write("delete", own.collection, ids=piece.tolist())
        self._written.add(own.collection)

    def refresh(self) -> None:
        """Read anew which kinds there are."""
        self._kinds = None
        self._known()

    def follows(self, kind: str) -> Follows:
        """Return how far a kind follows the library."""
        own = self._known().get(kind)
        return Follows() if own is None else own.follows

    def note(self, kind: str, follows: Follows) -> None:
        """Note how far a kind follows the library."""
        self._set(kind, replace(self._known()[kind], follows=follows))

    def drop(self, kind: str) -> None:
        """Drop a kind and its vectors."""
        own = self._known().pop(kind)
        self._connection.write("delete", self._catalogue, ids=[kind])
        self._connection.write("drop_collection", own.collection)

    def count(self, kind: str) -> int:
        """Return how many vectors there are of a kind, after all that anybody wrote."""
        collection = self._known()[kind].collection
        count = self._connection.count(collection)
        self._written.discard(collection)
        return count

    def ids(self, kind: str) -> np.ndarray:
        """Return the ids, rising, of the items that have a vector of a kind, one of zeros included."""
        pages = self._connection.pages(self._known()[kind].collection, ["id"], MOST)
        return np.sort(np.array([row["id"] for page in pages for row in page], np.int64))

    @property
    def _catalogue(self) -> str:
        return f"{self._library}_kinds"

    def _known(self) -> dict[str, _Kind]:
        if self._kinds is None:
            self._kinds = dict(self._stored_kinds())
        return self._kinds

    def _stored_kinds(self) -> Iterator[tuple[str, _Kind]]:
        texts, numbers = ("kind", "model_version"), ("size", "generation", "through")
        fields = {**dict.fromkeys(texts, "text"), **dict.fromkeys(numbers, "number")}
        self._connection.make(self._catalogue, fields, "kind", {"mark": 2})
        options = {"filter": 'kind != ""', "output_fields": [*fields], "limit": MOST, "consistency_level": "Strong"}
        for row in self._connection.call("query", self._catalogue, **options):
            follows = Follows(int(row["generation"]), int(row["through"]))
            kind, version = str(row["kind"]), str(row["model_version"])
            collection = self._collection(kind, version)
            if self._connection.has(collection):
                yield kind, _Kind(version, collection, int(row["size"]), follows)

    def _collection(self, kind: str, model_version: str) -> str:
        return f"{self._library}_{hashlib.sha256(f'{kind} {model_version}'.encode()).hexdigest()[:16]}"

    def _begin(self, kind: str, model_version: str, size: int) -> _Kind:
        """Make an empty collection for a kind, in place of the one that it had."""
        if kind in self._known():
            self.drop(kind)
        own = _Kind(model_version, self._collection(kind, model_version), size)
        self._connection.make(own.collection, {"id": "number", "length": "real"}, "id", {"vector": size})
        self._set(kind, own)
        return own

    def _set(self, kind: str, own: _Kind) -> None:
        facts: dict[str, Any] = {"kind": kind, "model_version": own.model_version, "size": own.size}
        follows = {"generation": own.follows.generation, "through": own.follows.through}
        self._connection.write("upsert", self._catalogue, [{**facts, **follows, "mark": [0.0, 1.0]}])
        self._known()[kind] = own

    def _at_once(self, own: _Kind) -> int:
        return max(1, min(MOST, BATCH_BYTES // (4 * max(1, own.size))))


def _unit(vector: np.ndarray) -> np.ndarray | None:
    """Return a query at length 1, None for zeros, with which nothing can be compared."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector, np.float32) / np.float32(length) if length else None


def _stored(units: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return vectors as they were stored, float16: half precision rounds away what dividing by the length changed."""
    return (units * lengths[:, None]).astype(np.float16)


def _listed(ids: np.ndarray) -> str:
    return f"id in [{','.join(map(str, ids.tolist()))}]"


def _pieces(ids: np.ndarray, size: int = LISTED) -> list[np.ndarray]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _best(found: list[RankedItems], count: int) -> RankedItems:
    """Return the `count` best of all, ties by id."""
    ids = np.concatenate([np.zeros(0, np.int64), *(one.ids for one in found)])
    scores = np.concatenate([np.zeros(0, np.float32), *(one.scores for one in found)])
    order = np.lexsort((ids, -scores))[:count]
    return RankedItems(ids[order], scores[order])
