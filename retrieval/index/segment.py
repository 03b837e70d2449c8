"""A segment of the search index: postings and vectors of some pictures over the same rows, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.records import SearchedPicture
from data.store import StoreDamaged
from retrieval.arrays import IndexDamaged, load_array, save_arrays
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import INDEXED_ORDER
from retrieval.index.files import Facts, OtherFormat
from retrieval.vectors.cosine import VectorIndex

NO_MODEL = -1
VECTORS = ("vectors", "embeddings")


@dataclass(frozen=True)
class Segment:
    """Row i of `postings`, `vectors` and `embeddings` is the picture `ids[i]` (int64, rising).

    `by_user` (bool) says which pictures a person has captioned, `models` (int16) which of `model_versions` described
    each, NO_MODEL where none did. Only what `model_version` made is among the vectors and embeddings.
    """

    ids: np.ndarray
    by_user: np.ndarray
    models: np.ndarray
    model_versions: tuple[str, ...]
    model_version: str | None
    postings: BleuPostings
    vectors: VectorIndex
    embeddings: VectorIndex

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.ids)

    def save(self, folder: Path) -> Facts:
        """Write the arrays to `folder` and return what else there is to know. Raises OSError."""
        save_arrays(folder, {"ids": self.ids, "by_user": self.by_user, "models": self.models})
        self.postings.save(folder)
        self.vectors.save(folder, "vectors")
        self.embeddings.save(folder, "embeddings")
        return {
            "pictures": len(self),
            "max_order": self.postings.max_order,
            "model_version": self.model_version,
            "model_versions": self.model_versions,
        }

    @classmethod
    def load(cls, folder: Path, facts: Facts) -> Segment:
        """Map what `save` wrote into memory. Raises IndexDamaged, OtherFormat or FileNotFoundError."""
        if facts["max_order"] != INDEXED_ORDER:
            raise OtherFormat(f"the search index holds n-grams of order 1 to {facts['max_order']}")
        ids, by_user, models = (load_array(folder, name) for name in ("ids", "by_user", "models"))
        postings = BleuPostings.load(folder, facts["max_order"])
        vectors, embeddings = (VectorIndex.load(folder, name) for name in VECTORS)
        sizes = {len(one) for one in (ids, by_user, models, postings, vectors, embeddings)}
        if sizes != {facts["pictures"]}:
            raise IndexDamaged("the parts of the search index differ in length")
        versions = tuple(facts["model_versions"])
        return cls(ids, by_user, models, versions, facts["model_version"], postings, vectors, embeddings)


def build_segment(pictures: Iterable[SearchedPicture], model_version: str | None, most: int) -> Segment:
    """Build a segment of at most `most` pictures, which come by rising id. Raises StoreDamaged or StoreError."""
    beside = _Beside(model_version, most)
    postings = BleuPostings.build(beside.captions(pictures))
    vectors, embeddings = (VectorIndex.build(one.rows(len(beside.ids))) for one in (beside.vectors, beside.embeddings))
    return Segment(
        np.array(beside.ids, np.int64),
        np.array(beside.by_user, bool),
        np.array(beside.models, np.int16),
        tuple(beside.model_versions),
        model_version,
        postings,
        vectors,
        embeddings,
    )


class _Beside:
    """What there is of pictures beside their captions, noted while those go by."""

    def __init__(self, model_version: str | None, most: int) -> None:
        self.ids: list[int] = []
        self.by_user: list[bool] = []
        self.models: list[int] = []
        self.model_versions: dict[str, int] = {}
        self.vectors, self.embeddings = _Matrix(most), _Matrix(most)
        self._model_version = model_version

    def captions(self, pictures: Iterable[SearchedPicture]) -> Iterator[list[str]]:
        for row, one in enumerate(pictures):
            self.ids.append(one.id)
            self.by_user.append(one.by_user)
            self.models.append(self._model(one.model_version))
            if one.model_version is not None and one.model_version == self._model_version:
                self.vectors.put(row, one.vector)
                self.embeddings.put(row, one.embedding)
            yield one.captions

    def _model(self, version: str | None) -> int:
        return NO_MODEL if version is None else self.model_versions.setdefault(version, len(self.model_versions))


class _Matrix:
    """Float16 vectors by row, as wide as the first of them; a row of zeros where there is none."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: np.ndarray | None = None

    def put(self, row: int, vector: np.ndarray | None) -> None:
        if vector is None:
            return
        if self._values is None:
            self._values = np.zeros((self._most, len(vector)), np.float16)
        if len(vector) != self._values.shape[1]:
            raise StoreDamaged("the vectors of one model differ in length; index again")
        self._values[row] = vector

    def rows(self, count: int) -> np.ndarray:
        return np.zeros((count, 0), np.float16) if self._values is None else self._values[:count]
