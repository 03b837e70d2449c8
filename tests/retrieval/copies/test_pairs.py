"""Near pairs and what hangs together, against a matrix of all cosines and a plain walk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.copies import near
from retrieval.copies.near import connected, near_pairs


def vectors_with_copies(count: int, seed: int) -> np.ndarray:
    """Random vectors of which a third are others with a little noise, and a few are zeros."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 12))
    copies = count // 3
    vectors[-copies:] = vectors[:copies] + random.normal(scale=0.05, size=(copies, 12))
    vectors[count // 2] = 0
    return random.permutation(vectors).astype(np.float16)


def every_pair(vectors: np.ndarray, threshold: float, new_from: int) -> set[tuple[int, int]]:
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    unit = wide / np.where(norms > 0, norms, 1)[:, None]
    rows, columns = np.nonzero(unit @ unit.T >= threshold)
    return {(a, b) for a, b in zip(rows.tolist(), columns.tolist(), strict=True) if a < b and b >= new_from}


@pytest.mark.parametrize("new_from", [0, 1, 40, 59, 60])
@pytest.mark.parametrize(("block", "chunk"), [(1024, 8192), (7, 16), (16, 5)])
def test_pairs_are_those_of_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch, block: int, chunk: int, new_from: int
) -> None:
    monkeypatch.setattr(near, "BLOCK", block)
    monkeypatch.setattr(near, "CHUNK", chunk)
    vectors = vectors_with_copies(60, seed=block)
    steps: list[tuple[int, int]] = []
    pairs = near_pairs(vectors, 0.9, new_from, lambda *at: steps.append(at))
    assert set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == every_pair(vectors, 0.9, new_from)
    assert (pairs.cosine >= 0.9).all()
    assert steps[-1:] == ([(60 - new_from, 60 - new_from)] if new_from < 60 else [])


def test_hundreds_of_the_same_hang_together_by_few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "BLOCK", 64)
    monkeypatch.setattr(near, "CHUNK", 100)
    pairs = near_pairs(np.ones((500, 4), np.float16), 0.95)
    assert len(pairs.first) <= 500 * near.PER_ROW * 5
    assert set(connected(500, pairs.first, pairs.second).tolist()) == {0}


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_what_hangs_together_is_what_a_walk_reaches(count: int, links: list[tuple[int, int]]) -> None:
    links = [(a % count, b % count) for a, b in links]
    first, second = (np.array([link[side] for link in links], np.int64) for side in (0, 1))

    def reached(start: int) -> set[int]:
        seen, waiting = {start}, [start]
        while waiting:
            here = waiting.pop()
            for a, b in links:
                for other in ((b,) if a == here else ()) + ((a,) if b == here else ()):
                    if other not in seen:
                        seen.add(other)
                        waiting.append(other)
        return seen

    assert connected(count, first, second).tolist() == [min(reached(row)) for row in range(count)]
