"""The page for a sketch, its results, and pictures in the same colours."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image, ImageDraw

from captioner.encoders.descriptors.colour_layout import ColourLayout
from captioner.encoders.descriptors.sketch import EdgeOrientations
from captioner.pipeline import VectorDescriber
from retrieval.indexing.indexer import index
from retrieval.library import Library
from tests.webui.conftest import add


def frame(fill: str | None, ink: str | None) -> bytes:
    image, buffer = Image.new("RGB", (100, 100), "white"), io.BytesIO()
    ImageDraw.Draw(image).rectangle((20, 15, 60, 90), fill, ink, 3)
    image.save(buffer, "PNG")
    return buffer.getvalue()


def describe(library: Library, folder: Path, encoder: ColourLayout | EdgeOrientations) -> None:
    index(library.store, VectorDescriber(encoder), [folder], library.settings.limits)


def test_without_outlines_the_page_says_how_to_add_them(client: FlaskClient) -> None:
    page = client.get("/sketch").text
    assert "retroflex index --features sketch" in page
    assert "<canvas" not in page


def test_a_sketch_is_sent_without_a_script(client: FlaskClient, library: Library, photo_folder: Path) -> None:
    pytest.importorskip("cv2")
    add(library, photo_folder / "frame.png", frame("#f4f2ee", None))
    describe(library, photo_folder, EdgeOrientations())
    page = client.get("/sketch").text
    assert '<input type="hidden" name="by" value="sketch">' in page
    assert 'name="image" accept="image/*"' in page
    sent = {"by": "sketch", "image": (io.BytesIO(frame(None, "black")), "sketch.png")}
    answer = client.post("/api/v1/search", data=sent).get_json()
    assert answer["hits"][0]["path"].endswith("frame.png")
    sent = {"by": "sketch", "image": (io.BytesIO(frame(None, "black")), "sketch.png")}
    assert "like yours" in client.post("/", data=sent).text


def test_pictures_in_the_same_colours(client: FlaskClient, library: Library, photo_folder: Path) -> None:
    assert "More in these colours" not in client.get("/picture/1").text
    describe(library, photo_folder, ColourLayout())
    assert 'href="/?like=1&amp;by=colour_layout">More in these colours' in client.get("/picture/1").text
    hits = client.get("/api/v1/search?like=1&by=colour_layout&limit=4").get_json()["hits"]
    assert len({hit["caption"] for hit in hits}) == 1


def test_swatches_filter_by_colour(client: FlaskClient, library: Library, photo_folder: Path) -> None:
    describe(library, photo_folder, ColourLayout())
    assert client.get("/api/v1/pictures/1").get_json()["colours"] == ["red"]
    assert '<a href="/?colour=red">red</a>' in client.get("/picture/1").text
    page = client.get("/?colour=red").text
    assert '<span class="swatch red"></span>red (4)' in page
    assert "Mostly red: remove this filter" in page
    facets = client.get("/api/v1/facets").get_json()["colour"]
    assert {"value": "red", "pictures": 4} in facets
    assert client.get("/api/v1/pictures?colour=mauve").status_code == 400
