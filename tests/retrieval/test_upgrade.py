"""A library of the version before items gives the same answers, and no picture is described again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from captioner.calibration import Calibration
from data.settings import load_settings
from retrieval.library import Library
from retrieval.search.query import Query, QueryImage

LIBRARIES = Path(__file__).parents[1] / "data" / "libraries"
SEARCHES: dict[str, list[tuple[int, float]]] = json.loads((LIBRARIES / "version_7.json").read_text())["searches"]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    shutil.copy(LIBRARIES / "version_7.sqlite3", tmp_path / "library.sqlite3")
    opened = Library.open(load_settings(library=tmp_path))
    vars(opened)["model"] = opened.model._replace(calibration=Calibration())  # as the program of that version weighed
    return opened


@pytest.mark.parametrize("search", SEARCHES)
def test_searches_find_the_same_with_the_same_scores(library: Library, search: str) -> None:
    query, distant = Query(search), True
    if search.startswith("like "):
        described = library.description(int(search.removeprefix("like ")))
        assert described is not None
        query, distant = Query(like=[QueryImage(described)]), False
    found = library.search(query, 50, distant=distant).hits
    assert [hit.id for hit in found] == [number for number, _ in SEARCHES[search]]
    assert [hit.score for hit in found] == pytest.approx([score for _, score in SEARCHES[search]], abs=1e-6)
