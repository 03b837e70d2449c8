"""Near copies follow the library, compare only new pictures, and survive a restart and a damaged file.

Pairs and groups are compared with a matrix of all cosines and a plain walk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.records import Batch, CaptionRow, DescriptionRow
from retrieval.copies import near
from retrieval.copies.near import Copies, connected, near_pairs
from retrieval.library import Library

SECONDS = 30.0


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The number of pictures of each comparison, and of new ones among them."""
    calls: list[tuple[int, int]] = []

    def counted(vectors: np.ndarray, threshold: float, new_from: int, *more: Any) -> Any:
        calls.append((len(vectors), len(vectors) - new_from))
        return near_pairs(vectors, threshold, new_from, *more)

    monkeypatch.setattr(near, "near_pairs", counted)
    return calls


def copies_of(library: Library, folder: Path) -> Copies:
    return Copies(lambda: library.searcher().index, lambda: library.model, folder / "copies.npz")


def test_copies_follow_the_library_and_compare_new_pictures(
    library: Library, tmp_path: Path, add: Any, compared: list[tuple[int, int]]
) -> None:
    copies = copies_of(library, tmp_path)
    first = copies.find(SECONDS)
    assert (first.groups, first.working) == ([[1, 2], [4, 5]], False)
    library.store.set_user_caption(1, "mine")
    assert copies.find(SECONDS).groups == first.groups
    assert compared == [(5, 5)]
    add(library.store, "third", ["a man"], [0.0, 0.05, 1.0, 0.3])
    assert copies.find(SECONDS).groups == [[1, 2], [4, 5, 6]]
    library.store.remove([b"/photos/beach.jpg", b"/photos/street.jpg"])
    assert copies.find(SECONDS).groups == [[5, 6]]
    assert compared == [(5, 5), (6, 1), (4, 0)]


def test_a_picture_with_new_content_is_compared_again(
    library: Library, tmp_path: Path, compared: list[tuple[int, int]]
) -> None:
    """As after an edit of its file, which keeps its id."""
    copies = copies_of(library, tmp_path)
    assert copies.find(SECONDS).groups == [[1, 2], [4, 5]]
    vector = np.array([0.0, 1.0, 0.2, 0.0], np.float32)
    digest = library.store.pictures([5])[5].digest
    row = DescriptionRow(digest, "model-1", [CaptionRow("a boat", -1.0)], {"vgg16": vector / np.linalg.norm(vector)})
    library.store.write_batch(Batch(descriptions=[row]))
    assert copies.find(SECONDS).groups == [[1, 2], [3, 5]]
    assert compared == [(5, 5), (5, 1)]
    assert copies_of(library, tmp_path).find(SECONDS).groups == [[1, 2], [3, 5]]
    assert len(compared) == 2


def test_copies_are_stored_between_runs(library: Library, tmp_path: Path, compared: list[tuple[int, int]]) -> None:
    groups = copies_of(library, tmp_path).find(SECONDS).groups
    assert copies_of(library, tmp_path).find(SECONDS).groups == groups
    assert len(compared) == 1
    (tmp_path / "copies.npz").write_bytes(b"PK damaged")
    assert copies_of(library, tmp_path).find(SECONDS).groups == groups
    assert len(compared) == 2


def test_an_impatient_caller_gets_the_progress(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event

    go_on = Event()
    monkeypatch.setattr(near, "near_pairs", lambda *arguments: go_on.wait(SECONDS) and near_pairs(*arguments))
    copies = copies_of(library, tmp_path)
    early = copies.find(0.01)
    assert (early.groups, early.working, early.total) == ([], True, 5)
    go_on.set()
    assert copies.find(SECONDS).groups == [[1, 2], [4, 5]]


def test_an_empty_library_has_no_copies(library: Library, tmp_path: Path) -> None:
    library.store.remove([b"/photos"])
    assert copies_of(library, tmp_path).find(SECONDS).groups == []


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


def test_few_pairs_connect_hundreds_of_equal_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "BLOCK", 64)
    monkeypatch.setattr(near, "CHUNK", 100)
    pairs = near_pairs(np.ones((500, 4), np.float16), 0.95)
    assert len(pairs.first) <= 500 * near.PER_ROW * 5
    assert set(connected(500, pairs.first, pairs.second).tolist()) == {0}


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_groups_are_what_a_walk_reaches(count: int, links: list[tuple[int, int]]) -> None:
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
