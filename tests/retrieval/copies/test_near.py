"""Near copies follow the library, compare only what is new, and survive a restart and a damaged file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.copies import near
from retrieval.copies.near import Copies, near_pairs
from retrieval.library import Library

SECONDS = 30.0


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many pictures each comparison was about, and how many of them were new."""
    seen: list[tuple[int, int]] = []

    def counted(vectors: np.ndarray, threshold: float, new_from: int, *more: Any) -> Any:
        seen.append((len(vectors), len(vectors) - new_from))
        return near_pairs(vectors, threshold, new_from, *more)

    monkeypatch.setattr(near, "near_pairs", counted)
    return seen


def made(library: Library, folder: Path) -> Copies:
    return Copies(lambda: library.searcher().index, lambda: library.model, folder / "copies.npz")


def test_copies_follow_the_library_and_compare_what_is_new(
    library: Library, tmp_path: Path, add: Any, compared: list[tuple[int, int]]
) -> None:
    found = made(library, tmp_path)
    first = found.find(SECONDS)
    assert (first.groups, first.working) == ([[1, 2], [4, 5]], False)
    library.store.set_user_caption(1, "mine")
    assert found.find(SECONDS).groups == first.groups
    assert compared == [(5, 5)]
    add(library.store, "third", ["a man"], [0.0, 0.05, 1.0, 0.3])
    assert found.find(SECONDS).groups == [[1, 2], [4, 5, 6]]
    library.store.remove([b"/photos/beach.jpg", b"/photos/street.jpg"])
    assert found.find(SECONDS).groups == [[5, 6]]
    assert compared == [(5, 5), (6, 1), (4, 0)]


def test_copies_are_kept_from_run_to_run(library: Library, tmp_path: Path, compared: list[tuple[int, int]]) -> None:
    groups = made(library, tmp_path).find(SECONDS).groups
    assert made(library, tmp_path).find(SECONDS).groups == groups
    assert len(compared) == 1
    (tmp_path / "copies.npz").write_bytes(b"PK damaged")
    assert made(library, tmp_path).find(SECONDS).groups == groups
    assert len(compared) == 2


def test_an_impatient_caller_is_told_that_it_is_worked_on(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event

    go_on = Event()
    monkeypatch.setattr(near, "near_pairs", lambda *given: go_on.wait(SECONDS) and near_pairs(*given))
    found = made(library, tmp_path)
    early = found.find(0.01)
    assert (early.groups, early.working, early.total) == ([], True, 5)
    go_on.set()
    assert found.find(SECONDS).groups == [[1, 2], [4, 5]]


def test_an_empty_library_has_no_copies(library: Library, tmp_path: Path) -> None:
    library.store.remove([b"/photos"])
    assert made(library, tmp_path).find(SECONDS).groups == []
