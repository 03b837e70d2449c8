"""The contract of vector stores, for the local one, Milvus, and a plain one in memory, the oracle of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from retrieval.vectors.base import RankedItems, VectorStore
from retrieval.vectors.local import LocalVectorStore
from retrieval.vectors.milvus import MilvusVectorStore
from retrieval.vectors.milvus_client import MilvusConnection

WIDE = 6


class PlainStore:
    """A dictionary of vectors, compared one by one."""

    def __init__(self) -> None:
        self._vectors: dict[str, tuple[str, dict[int, np.ndarray]]] = {}

    @property
    def models(self) -> Mapping[str, str]:
        return {kind: version for kind, (version, _) in self._vectors.items()}

    def _own(self, kind: str) -> dict[int, np.ndarray]:
        return self._vectors.get(kind, ("", {}))[1]

    def _score(self, kind: str, vector: np.ndarray, item: int) -> float:
        own = self._own(kind).get(item)
        length = 0.0 if own is None else float(np.linalg.norm(own.astype(np.float32)) * np.linalg.norm(vector))
        return 0.0 if own is None or not length else round(float(own.astype(np.float32) @ vector) / length, 6)

    def search(self, kind: str, vector: np.ndarray, count: int, allowed: np.ndarray | None = None) -> RankedItems:
        ids = sorted(set(self._own(kind)) if allowed is None else set(self._own(kind)) & set(allowed.tolist()))
        best = sorted(ids, key=lambda item: (-self._score(kind, vector, item), item))[:count]
        scores = [self._score(kind, vector, item) for item in best]
        return RankedItems(np.array(best, np.int64), np.array(scores, np.float32))

    def scores(self, kind: str, vector: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return np.array([self._score(kind, vector, item) for item in ids.tolist()], np.float32)

    def get(self, kind: str, ids: np.ndarray) -> np.ndarray:
        own = self._own(kind)
        wide = len(next(iter(own.values()))) if own else 0
        return np.array([own.get(item, np.zeros(wide)) for item in ids.tolist()], np.float32).reshape(len(ids), wide)

    def everything(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        own = self._own(kind)
        ids = np.array(sorted(own), np.int64)
        return ids, self.get(kind, ids).astype(np.float16)

    def upsert(self, kind: str, model_version: str, ids: np.ndarray, vectors: np.ndarray) -> None:
        before = self._vectors.get(kind)
        own = before[1] if before and before[0] == model_version else {}
        self._vectors[kind] = model_version, {**own, **dict(zip(ids.tolist(), vectors.astype(np.float16), strict=True))}

    def delete(self, ids: np.ndarray) -> None:
        for _, own in self._vectors.values():
            for item in ids.tolist():
                own.pop(item, None)


@pytest.fixture(params=[LocalVectorStore, PlainStore, "milvus lite", "milvus server"])
def store(request: pytest.FixtureRequest) -> VectorStore:
    """An empty store."""
    if isinstance(request.param, str):
        in_milvus = MilvusVectorStore(request.getfixturevalue(request.param.replace(" ", "_")), "contract")
        for kind in in_milvus.models:
            in_milvus.drop(kind)
        return in_milvus
    made: VectorStore = request.param()
    return made


def vectors(ids: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, len(ids))).normal(size=(len(ids), WIDE)).astype(np.float16).astype(np.float32)


def filled(store: VectorStore, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    ids = np.arange(1, count + 1, dtype=np.int64) * 3
    own = vectors(ids)
    store.upsert("vgg16", "m1", ids, own)
    return ids, own


def test_an_empty_store_finds_nothing(store: VectorStore) -> None:
    assert dict(store.models) == {}
    assert len(store.search("vgg16", np.ones(WIDE, np.float32), 5).ids) == 0
    assert store.scores("vgg16", np.ones(WIDE, np.float32), np.array([1, 2])).tolist() == [0, 0]
    assert store.get("vgg16", np.array([1])).shape[0] == 1


def test_the_nearest_come_first_with_exact_cosines(store: VectorStore) -> None:
    ids, own = filled(store)
    found = store.search("vgg16", own[7], 10)
    expected = own @ own[7] / np.linalg.norm(own, axis=1) / np.linalg.norm(own[7])
    order = np.lexsort((ids, -np.round(expected, 6)))[:10]
    assert found.ids.tolist() == ids[order].tolist()
    assert found.ids[0] == ids[7]
    np.testing.assert_allclose(found.scores, expected[order], atol=2e-6)


def test_scores_and_vectors_of_items_with_and_without(store: VectorStore) -> None:
    ids, own = filled(store)
    asked = np.array([1, ids[0], 4, ids[5], 10**6])
    scores = store.scores("vgg16", own[5], asked)
    assert scores[[0, 2, 4]].tolist() == [0, 0, 0]
    assert scores[3] == pytest.approx(1, abs=1e-6)
    got = store.get("vgg16", asked)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[[1, 3]], own[[0, 5]])
    assert not got[[0, 2, 4]].any()


def test_only_what_is_allowed_is_found(store: VectorStore) -> None:
    ids, own = filled(store)
    allowed = np.sort(np.concatenate([ids[::4], [2, 5]]))
    found = store.search("vgg16", own[8], 100, allowed)
    assert set(found.ids.tolist()) == set(ids[::4].tolist())
    assert found.ids[0] == ids[8]


def test_equal_vectors_go_by_id(store: VectorStore) -> None:
    store.upsert("vgg16", "m1", np.array([9, 20]), np.ones((2, WIDE)))
    store.upsert("vgg16", "m1", np.array([4]), np.ones((1, WIDE)))
    assert store.search("vgg16", np.ones(WIDE, np.float32), 3).ids.tolist() == [4, 9, 20]


def test_an_upsert_replaces_earlier_vectors(store: VectorStore) -> None:
    ids, own = filled(store)
    changed = vectors(ids[:3], seed=1)
    store.upsert("vgg16", "m1", ids[:3], changed)
    np.testing.assert_array_equal(store.get("vgg16", ids[:4]), np.concatenate([changed, own[3:4]]))
    assert store.search("vgg16", changed[1], 1).ids.tolist() == [ids[1]]
    assert len(store.search("vgg16", own[0], 1000).ids) == len(ids)


def test_everything_comes_by_id(store: VectorStore) -> None:
    ids, _ = filled(store)
    more = np.array([1, 61])
    store.upsert("vgg16", "m1", more, vectors(more))
    store.delete(ids[:2])
    there = np.setdiff1d(np.union1d(ids, more), ids[:2])
    found, all_vectors = store.everything("vgg16")
    assert found.tolist() == there.tolist()
    assert all_vectors.dtype == np.float16
    np.testing.assert_array_equal(all_vectors, store.get("vgg16", there))
    assert len(store.everything("none")[0]) == 0


def test_what_is_deleted_is_gone_in_every_kind(store: VectorStore) -> None:
    ids, own = filled(store)
    store.upsert("tiny", "t1", ids, own[:, :2])
    store.delete(ids[:5])
    assert not set(ids[:5].tolist()) & set(store.search("vgg16", own[0], 1000).ids.tolist())
    assert len(store.search("tiny", own[0, :2], 1000).ids) == len(ids) - 5
    assert not store.get("vgg16", ids[:5]).any()
    store.upsert("vgg16", "m1", ids[:1], own[:1])
    assert store.search("vgg16", own[0], 1).ids.tolist() == [ids[0]]


def test_kinds_do_not_mix_and_another_model_starts_empty(store: VectorStore) -> None:
    ids, own = filled(store)
    store.upsert("tiny", "t1", ids[:2], own[:2, :3])
    assert dict(store.models) == {"vgg16": "m1", "tiny": "t1"}
    assert store.get("tiny", ids[:1]).shape == (1, 3)
    store.upsert("vgg16", "m2", ids[:2], own[:2])
    assert store.models["vgg16"] == "m2"
    assert len(store.search("vgg16", own[0], 1000).ids) == 2


def test_a_query_of_another_length_is_like_nothing(store: VectorStore) -> None:
    if isinstance(store, PlainStore):
        pytest.skip("the oracle takes queries of the right length only")
    ids, _ = filled(store)
    assert not store.scores("vgg16", np.ones(3, np.float32), ids).any()


def test_no_read_of_milvus_may_come_before_it_has_read_what_it_holds(
    milvus_lite: MilvusConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, levels = MilvusVectorStore(milvus_lite, "levels"), list[str | None]()
    ids, own = filled(store)
    called = MilvusConnection._called

    def noting(self: MilvusConnection, method: str, *arguments: Any, **options: Any) -> Any:
        if method in ("search", "query"):
            levels.append(options.get("consistency_level"))
        return called(self, method, *arguments, **options)

    monkeypatch.setattr(MilvusConnection, "_called", noting)
    store.search("vgg16", own[0], 5)
    assert levels == ["Strong"]
    for read in (
        lambda: store.search("vgg16", own[0], 5, ids[:3]),
        lambda: store.scores("vgg16", own[0], ids),
        lambda: store.get("vgg16", ids),
        lambda: store.everything("vgg16"),
    ):
        read()
    assert len(levels) >= 5
    assert set(levels) == {"Strong", "Bounded"}


@pytest.mark.parametrize(("name", "sparse"), [("milvus_lite", True), ("milvus_server", False)])
def test_whether_there_are_sparse_vectors_is_known(name: str, sparse: bool, request: pytest.FixtureRequest) -> None:
    connection: MilvusConnection = request.getfixturevalue(name)
    assert (connection.without_sparse() == "") == sparse  # the server that pip installs is 2.3
