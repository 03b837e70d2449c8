"""Where words of a caption are seen, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from captioner.bundle import load_search_model
from captioner.cells import pack_cells
from captioner.types import CELLS
from data.store import Batch, DescriptionRow
from retrieval.library import Library
from tests.webui.api_checks import problem, valid

SEEN = "/api/v1/pictures/1/attention"


@pytest.fixture
def with_cells(library: Library, tiny_bundle: Path) -> Library:
    """Picture 1 with cells that the tiny bundle's decoder reads."""
    model = vars(library)["model"] = load_search_model(tiny_bundle)
    cells = np.abs(np.random.default_rng(0).normal(size=(1, 16, 8))).astype(np.float32)
    picture = library.picture(1)
    assert picture is not None
    row = DescriptionRow(picture.digest, model.version, [], {}, {CELLS: pack_cells(cells)[0]})
    library.store.write_batch(Batch(descriptions=[row]))
    library.store.set_user_caption(1, "Red boat, a RED dog!")
    return library


def test_each_word_has_its_place(client: FlaskClient, with_cells: Library) -> None:
    answer = client.get(SEEN).get_json()
    valid("Attention", answer)
    assert [answer["caption"][one["start"] : one["end"]] for one in answer["words"]] == [
        "Red",
        "boat",
        "a",
        "RED",
        "dog",
    ]
    assert answer["edge"] == 2
    for word in answer["words"]:
        assert 0 < word["seen"] <= 1
        assert max(word["cells"]) == 255
        assert len(word["cells"]) == 4


def test_what_is_not_known_is_404(client: FlaskClient, with_cells: Library) -> None:
    problem(client.get(SEEN, query_string={"caption": 99}), 404)
    problem(client.get(SEEN.replace("1/att", "2/att")), 404)
    problem(client.get(SEEN.replace("1/att", "999/att")), 404)
    problem(client.get(SEEN, query_string={"caption": "x"}), 400)


def test_damaged_cells_are_told(client: FlaskClient, with_cells: Library, monkeypatch: Any) -> None:
    monkeypatch.setattr(type(with_cells.store), "features", lambda *_: {1: b"damaged"})
    assert "damaged" in problem(client.get(SEEN), 404)
