"""The vector store that needs no server: vectors in the segments of the search index, exact or by codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np

from retrieval.vectors.base import RankedItems
from retrieval.vectors.cosine import VectorIndex
from retrieval.vectors.pieces import Pieces


class Column(NamedTuple):
    """The vectors of one kind: `indexes` hold those of the rows of each of the `pieces`."""

    model_version: str
    pieces: Pieces
    indexes: Sequence[VectorIndex]

    @property
    def size(self) -> int:
        """The size of the widest vectors."""
        return max(index.matrix.shape[1] for index in self.indexes)


class LocalVectorStore:
    """See `retrieval.vectors.base.VectorStore`.

    The search index makes one over its segments. Upserted vectors are in memory; the index itself follows the store by
    new segments.
    """

    def __init__(self, columns: Mapping[str, Column] | None = None) -> None:
        self._columns = dict(columns or {})
        self._writing = Lock()

    @property
    def models(self) -> Mapping[str, str]:
        return {kind: column.model_version for kind, column in self._columns.items()}

    def search(self, kind: str, vector: np.ndarray, count: int, allowed: np.ndarray | None = None) -> RankedItems:
        column = self._columns.get(kind)
        if column is None:
            return RankedItems(np.zeros(0, np.int64), np.zeros(0, np.float32))
        absent = column.pieces.absent_but(allowed)
        pairs = zip(column.indexes, absent, strict=True)
        return column.pieces.best([index.top(vector, count, missing) for index, missing in pairs], count)

    def scores(self, kind: str, vector: np.ndarray, ids: np.ndarray) -> np.ndarray:
        column = self._columns.get(kind)
        if column is None:
            return np.zeros(len(ids), np.float32)
        return column.pieces.gather(ids, lambda piece, rows: column.indexes[piece].cosine(vector, rows))

    def get(self, kind: str, ids: np.ndarray) -> np.ndarray:
        column = self._columns.get(kind)
        if column is None:
            return np.zeros((len(ids), 0), np.float32)
        return column.pieces.gather(ids, lambda piece, rows: _wide(column.indexes[piece].matrix[rows], column.size))

    def everything(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        column = self._columns.get(kind)
        if column is None:
            return np.zeros(0, np.int64), np.zeros((0, 0), np.float16)
        ids = column.pieces.present_ids()
        matrix = np.zeros((len(ids), column.size), np.float16)
        start = 0
        for index, rows in zip(column.indexes, column.pieces.present_rows(), strict=True):
            matrix[start : start + len(rows), : index.matrix.shape[1]] = index.matrix[rows]
            start += len(rows)
        there = np.flatnonzero(matrix.any(axis=1))
        order = there[np.argsort(ids[there])]
        return ids[order], matrix[order]

    def upsert(self, kind: str, model_version: str, ids: np.ndarray, vectors: np.ndarray) -> None:
        index = VectorIndex.build(np.asarray(vectors, np.float16))
        with self._writing:
            before = self._columns.get(kind)
            if before is None or before.model_version != model_version:
                self._columns[kind] = Column(model_version, Pieces([ids], [None]), [index])
                return
            pieces = before.pieces.without(ids).with_piece(ids)
            self._columns[kind] = Column(model_version, pieces, [*before.indexes, index])

    def delete(self, ids: np.ndarray) -> None:
        with self._writing:
            for kind, column in list(self._columns.items()):
                self._columns[kind] = column._replace(pieces=column.pieces.without(ids))


def _wide(rows: np.ndarray, width: int) -> np.ndarray:
    """Return rows as float32, padded with zeros if a piece has no vector."""
    return np.pad(rows.astype(np.float32), ((0, 0), (0, width - rows.shape[1])))
