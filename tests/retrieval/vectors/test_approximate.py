"""With codes, a few of the nearest may be missing; nothing else differs from comparing all vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.arrays import IndexDamaged
from retrieval.vectors.cosine import VectorIndex

COUNT = 200
ALWAYS, NEVER = 1, 10**9


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """20,000 vectors in 100 clusters, not normalised."""
    random = np.random.default_rng(1)
    middles = random.standard_normal((100, 32))
    vectors = middles[random.integers(0, 100, 20_000)] + 0.8 * random.standard_normal((20_000, 32))
    return (3 * vectors).astype(np.float16)


@pytest.fixture(scope="module")
def index(vectors: np.ndarray) -> VectorIndex:
    return VectorIndex.build(vectors, approximate_from=ALWAYS)


@pytest.fixture(scope="module")
def exact(vectors: np.ndarray) -> VectorIndex:
    return VectorIndex.build(vectors, approximate_from=NEVER)


@pytest.fixture(scope="module")
def queries(vectors: np.ndarray) -> np.ndarray:
    """Half resemble the gallery, half are random."""
    random = np.random.default_rng(2)
    return np.concatenate([vectors[:20] + random.standard_normal((20, 32)), random.standard_normal((20, 32))])


def test_nearly_all_of_the_nearest_are_found(index: VectorIndex, exact: VectorIndex, queries: np.ndarray) -> None:
    for count in (10, COUNT, 1000):
        found = [np.isin(exact.top(query, count)[0], index.top(query, count)[0]).mean() for query in queries]
        assert np.mean(found) >= 0.98


def test_cosines_are_those_of_an_exact_search(index: VectorIndex, exact: VectorIndex, queries: np.ndarray) -> None:
    for query in queries:
        rows, cosines = index.top(query, COUNT)
        assert rows.dtype == np.int32
        assert np.array_equal(cosines, exact.cosine(query)[rows])
        assert np.array_equal(np.lexsort((rows, -cosines)), np.arange(COUNT))


def test_equal_vectors_tie_by_row(vectors: np.ndarray) -> None:
    doubled = VectorIndex.build(np.concatenate([vectors[:5000], vectors[:5000]]), approximate_from=ALWAYS)
    rows, cosines = doubled.top(vectors[7].astype(np.float32), 4)
    assert rows[:2].tolist() == [7, 5007]
    assert rows[3] - rows[2] == 5000
    assert cosines[0] == cosines[1] == pytest.approx(1)


@pytest.mark.parametrize("gone", [10, 780, 2000, 15_000, 16_500, 19_900])
@pytest.mark.parametrize("near", [True, False])
def test_absent_rows_are_never_near(
    index: VectorIndex, exact: VectorIndex, queries: np.ndarray, gone: int, near: bool
) -> None:
    """Whether the nearest are absent, as when their words are excluded, or any."""
    for query in queries[::4]:
        absent = np.zeros(20_000, bool)
        absent[exact.top(query, gone)[0] if near else np.random.default_rng(3).permutation(20_000)[:gone]] = True
        rows, _ = index.top(query, COUNT, absent)
        expected, _ = exact.top(query, COUNT, absent)
        assert not absent[rows].any()
        assert len(rows) == len(expected) == min(COUNT, 20_000 - gone)
        assert np.isin(expected, rows).mean() >= 0.97


def test_the_few_that_a_filter_leaves_are_all_compared(
    index: VectorIndex, exact: VectorIndex, queries: np.ndarray
) -> None:
    absent = np.arange(20_000) % 10 > 0
    for query in queries:
        for found, expected in zip(index.top(query, COUNT, absent), exact.top(query, COUNT, absent), strict=True):
            assert np.array_equal(found, expected)


def test_who_asks_for_half_of_all_gets_the_exact_ones(
    index: VectorIndex, exact: VectorIndex, queries: np.ndarray
) -> None:
    for query in queries[::10]:
        for found, expected in zip(index.top(query, 10_000), exact.top(query, 10_000), strict=True):
            assert np.array_equal(found, expected)


def test_pictures_without_a_vector_come_before_the_far_side(vectors: np.ndarray) -> None:
    gallery = np.abs(vectors[:3000])
    gallery[1000:] = 0
    index = VectorIndex.build(gallery, approximate_from=ALWAYS)
    query = np.ones(32, np.float32)
    assert (index.top(query, 100)[0] < 1000).all()
    rows, cosines = index.top(-query, 100)
    assert rows.tolist() == list(range(1000, 1100))
    assert not cosines.any()


def test_a_query_that_no_vector_can_be_compared_with(index: VectorIndex) -> None:
    for query in (np.ones(5, np.float32), np.zeros(32, np.float32)):
        rows, cosines = index.top(query, 3)
        assert rows.tolist() == [0, 1, 2]
        assert not cosines.any()
    assert len(index.top(np.ones(32, np.float32), 0)[0]) == 0


def test_dimensions_that_cannot_be_cut_evenly(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    vectors = random.standard_normal((2000, 12)) @ random.standard_normal((12, 307))
    index, exact = (VectorIndex.build(vectors.astype(np.float16), start) for start in (ALWAYS, NEVER))
    index.save(tmp_path, "look")
    rows, _ = VectorIndex.load(tmp_path, "look").top(vectors[0], COUNT)
    assert np.isin(exact.top(vectors[0], COUNT)[0], rows).mean() >= 0.98


def test_it_comes_back_from_disk(
    index: VectorIndex, queries: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.vectors.cosine.MAPPED", 0)
    index.save(tmp_path, "look")
    again = VectorIndex.load(tmp_path, "look")
    for _ in range(2):  # The second time after the matrix's pages were let go.
        for ours, theirs in zip(again.top(queries[0], COUNT), index.top(queries[0], COUNT), strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("harm", ["cut", "altered", "another's", "no array"])
def test_damaged_codes_are_refused(index: VectorIndex, vectors: np.ndarray, tmp_path: Path, harm: str) -> None:
    index.save(tmp_path, "look")
    path = tmp_path / "look_codes.npy"
    content = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(content[:-100])
    elif harm == "altered":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif harm == "another's":
        np.save(tmp_path / "look.npy", vectors[:-1])
    else:
        path.write_bytes(b"")
    with pytest.raises(IndexDamaged, match=r"look_codes\.npy"):
        VectorIndex.load(tmp_path, "look")


def test_only_large_galleries_get_codes(vectors: np.ndarray, tmp_path: Path) -> None:
    VectorIndex.build(vectors[:1000]).save(tmp_path, "look")
    assert {path.name for path in tmp_path.iterdir()} == {"look.npy", "look_inverse_norms.npy"}


def test_codes_of_the_very_same_vectors_are_taken_over(vectors: np.ndarray, tmp_path: Path) -> None:
    first = VectorIndex.build(vectors[:3000], approximate_from=ALWAYS)
    again = VectorIndex.build(vectors[:3000].copy(), ALWAYS, [VectorIndex.build(vectors[:2999], ALWAYS), first])
    other = VectorIndex.build(vectors[1:3001], ALWAYS, [first])
    assert again._codes is first._codes
    assert other._codes is not first._codes
    again.save(tmp_path, "again")
    loaded = VectorIndex.load(tmp_path, "again")
    query = vectors[7].astype(np.float32)
    for found, expected in zip(loaded.top(query, 5), first.top(query, 5), strict=True):
        np.testing.assert_array_equal(found, expected)
