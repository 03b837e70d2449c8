"""A segment of the search index: postings and vectors of some items over the same rows, never changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.records import SearchedPicture
from data.store import StoreDamaged
from retrieval.arrays import IndexDamaged, load_array, save_arrays
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import INDEXED_ORDER
from retrieval.index.files import Facts, OtherFormat
from retrieval.index.frames import NO_FILM
from retrieval.metadata.postings import MetadataPostings, PostingsBuilder
from retrieval.vectors.cosine import VectorIndex

NO_MODEL = -1


class Kind(NamedTuple):
    """The vectors of one kind, by row.

    `models` (int16, n) says which of `versions` made each row's vector, NO_MODEL where there is none. Only vectors
    by `model_version` are in `vectors`.
    """

    model_version: str
    versions: tuple[str, ...]
    models: np.ndarray
    vectors: VectorIndex

    def counts(self, rows: np.ndarray) -> Counter[str]:
        """Return how many vectors of these rows each model version made."""
        made = self.models[rows]
        counts = np.bincount(made[made != NO_MODEL], minlength=len(self.versions))
        return Counter(dict(zip(self.versions, counts.tolist(), strict=True)))


@dataclass(frozen=True)
class Segment:
    """Row i of `postings` and of each kind of vectors is the item `ids[i]` (int64, rising).

    `by_user` (bool) says which pictures a person has captioned. `films` (int64, n) is the film of each frame, NO_FILM
    for pictures; it is empty (0,) where there is no frame.
    """

    ids: np.ndarray
    by_user: np.ndarray
    postings: BleuPostings
    metadata: MetadataPostings
    kinds: Mapping[str, Kind]
    films: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        """The number of items."""
        return len(self.ids)

    def save(self, folder: Path) -> Facts:
        """Write the arrays to `folder` and return the facts that `load` needs. Raises OSError."""
        save_arrays(folder, {"ids": self.ids, "by_user": self.by_user})
        if len(self.films):
            save_arrays(folder, {"films": self.films})
        self.postings.save(folder)
        self.metadata.save(folder)
        for name, kind in self.kinds.items():
            kind.vectors.save(folder, f"vectors_{name}")
            save_arrays(folder, {f"models_{name}": kind.models})
        kinds = {name: [kind.model_version, kind.versions] for name, kind in self.kinds.items()}
        facts = {"items": len(self), "max_order": self.postings.max_order, "kinds": kinds}
        return facts | ({"films": True} if len(self.films) else {})

    @classmethod
    def load(cls, folder: Path, facts: Facts) -> Segment:
        """Map what `save` wrote into memory. Raises IndexDamaged, OtherFormat or FileNotFoundError."""
        if facts["max_order"] != INDEXED_ORDER:
            raise OtherFormat(f"the search index holds n-grams of order 1 to {facts['max_order']}")
        ids, by_user = (load_array(folder, name) for name in ("ids", "by_user"))
        postings = BleuPostings.load(folder, facts["max_order"])
        metadata = MetadataPostings.load(folder)
        films = load_array(folder, "films") if facts.get("films") else np.zeros(0, np.int64)
        kinds = {
            name: Kind(
                model_version,
                tuple(versions),
                load_array(folder, f"models_{name}"),
                VectorIndex.load(folder, f"vectors_{name}"),
            )
            for name, (model_version, versions) in facts["kinds"].items()
        }
        parts = [
            ids,
            by_user,
            postings,
            metadata,
            *(part for kind in kinds.values() for part in (kind.models, kind.vectors)),
            *([films] if len(films) else []),
        ]
        if {len(part) for part in parts} != {facts["items"]}:
            raise IndexDamaged("the parts of the search index differ in length")
        return cls(ids, by_user, postings, metadata, kinds, films)


def build_segment(
    pictures: Iterable[SearchedPicture],
    models: Mapping[str, str],
    most: int,
    roots: Sequence[bytes] = (),
    before: Sequence[Segment] = (),
) -> Segment:
    """Build a segment of at most `most` pictures, by rising id, with the vectors of each kind by its model.

    `roots` are the indexed folders. Where a segment `before` has the same vectors, what was made of them is taken over.
    Raises StoreDamaged or StoreError.
    """
    rows = _Rows(models, most, roots)
    postings = BleuPostings.build(rows.captions(pictures))
    ids = np.array(rows.ids, np.int64)
    kinds = {
        name: kind_rows.kind(len(ids), [one.kinds[name].vectors for one in before if name in one.kinds])
        for name, kind_rows in sorted(rows.kinds.items())
    }
    films = np.array(rows.films if max(rows.films, default=NO_FILM) != NO_FILM else (), np.int64)
    return Segment(ids, np.array(rows.by_user, bool), postings, rows.metadata.build(), kinds, films)


class _Rows:
    """Collects ids, vectors and metadata of pictures while their captions are read."""

    def __init__(self, models: Mapping[str, str], most: int, roots: Sequence[bytes]) -> None:
        self.metadata = PostingsBuilder(roots)
        self.ids: list[int] = []
        self.by_user: list[bool] = []
        self.films: list[int] = []
        self.kinds = {kind: _KindRows(kind, version, most) for kind, version in models.items()}
        self._most = most

    def captions(self, pictures: Iterable[SearchedPicture]) -> Iterator[list[str]]:
        for row, picture in enumerate(pictures):
            self.ids.append(picture.id)
            self.by_user.append(picture.by_user)
            self.films.append(NO_FILM if picture.film is None else picture.film)
            self.metadata.add(picture)
            for kind, vector in picture.vectors.items():
                if kind not in self.kinds:  # by a model that is new to the index: counted, not searched
                    self.kinds[kind] = _KindRows(kind, "", self._most)
                self.kinds[kind].put(row, vector.model_version, vector.values)
            yield picture.captions


class _KindRows:
    """Float16 vectors of one kind by row, as wide as the first; a row of zeros if there is none."""

    def __init__(self, name: str, model_version: str, most: int) -> None:
        self._name, self._model_version, self._most = name, model_version, most
        self._versions: dict[str, int] = {}
        self._models = np.full(most, NO_MODEL, np.int16)
        self._values: np.ndarray | None = None

    def put(self, row: int, model_version: str, vector: np.ndarray) -> None:
        self._models[row] = self._versions.setdefault(model_version, len(self._versions))
        if model_version != self._model_version:
            return
        if self._values is None:
            self._values = np.zeros((self._most, len(vector)), np.float16)
        if len(vector) != self._values.shape[1]:
            raise StoreDamaged(f"the vectors of {self._name} by one model differ in length; index again")
        self._values[row] = vector

    def kind(self, count: int, before: Sequence[VectorIndex]) -> Kind:
        values = np.zeros((count, 0), np.float16) if self._values is None else self._values[:count]
        vectors = VectorIndex.build(values, before=before)
        return Kind(self._model_version, tuple(self._versions), self._models[:count], vectors)
