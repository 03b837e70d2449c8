"""Search for a part of a picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from retrieval.library import Library
from tests.webui.api_checks import SEARCH, problem
from tests.webui.conftest import COLOURS, ColourCaptioner, add

LEFT, RIGHT = "0,0,0.45,1", "0.55,0,1,1"


def halves() -> bytes:
    """A picture that is green at the left and blue at the right."""
    image = Image.new("RGB", (120, 90), (40, 150, 60))
    image.paste((30, 60, 200), (60, 0, 120, 90))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def best(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(next(hit["caption"] for hit in answer.get_json()["hits"] if hit["id"] != 13))


def test_a_part_of_a_picture_of_the_library(
    client: FlaskClient, library: Library, photo_folder: Path, captioner: ColourCaptioner
) -> None:
    add(library, photo_folder / "halves.png", halves())
    calls = captioner.calls
    for box, colour in ((LEFT, "green"), (RIGHT, "blue"), (LEFT, "green")):
        assert colour in best(client.get(SEARCH, query_string={"like": 13, "box": box, "all": "true"}))
    assert captioner.calls == calls + 2, "what was described is remembered"
    page = client.get(f"/?like=13&box={LEFT}&all=true").text
    assert ">Part</a>" in page
    words = client.get(f"/?q=red&box={LEFT}").text
    assert 'name="box"' not in words, "without a picture there is no part"
    table = client.get("/api/v1/export", query_string={"like": 13, "box": LEFT, "all": "true", "format": "csv"})
    assert len(table.text.splitlines()) == 14, "a header and all pictures"


@pytest.mark.parametrize(("box", "colour"), [(LEFT, "green"), (RIGHT, "blue")])
def test_a_part_of_an_upload(client: FlaskClient, box: str, colour: str) -> None:
    data = {"image": (io.BytesIO(halves()), "x.png"), "box": box}
    answer = client.post(SEARCH, data=data, content_type="multipart/form-data")
    assert answer.get_json()["query"]["captions"][0] == COLOURS[colour][1]


@pytest.mark.parametrize(
    "box", ["1", "0,0,1", "0,0,2,1", "a,b,c,d", "0.5,0,0.4,1", "0,0,0.01,1", "-0.1,0,1,1", "0,0,1,nan"]
)
def test_what_is_no_part_is_400(client: FlaskClient, box: str) -> None:
    problem(client.get(SEARCH, query_string={"like": 1, "box": box}), 400)


def test_a_part_of_a_file_that_is_gone_is_410(client: FlaskClient, photo_folder: Path) -> None:
    (photo_folder / "red 0.jpg").unlink()
    problem(client.get(SEARCH, query_string={"like": 1, "box": LEFT}), 410)
