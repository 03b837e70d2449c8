"""Faces are clicked, named and uploaded in the browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.faces.history import undo
from tests.drawn_faces import DrawnFinder, draw_people, make_drawn_film
from tests.webui.browser.conftest import Site
from tests.webui.browser.page import Page
from tests.webui.people import add_people
from webui.describing import faces as describing

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def ids(site: Site) -> dict[str, int]:
    return add_people(site.library, site.photos / "people")


def test_a_face_is_outlined_in_the_viewer_and_clicked(page: Page, ids: dict[str, int]) -> None:
    page.open(f"picture/{ids['two']}")
    places = page.js(
        "const image = document.querySelector('.stage img').getBoundingClientRect();"
        "const scale = Math.min(image.width / 100, image.height / 80);"
        "const left = image.left + (image.width - 100 * scale) / 2, top = image.top + (image.height - 80 * scale) / 2;"
        "return [...document.querySelectorAll('.stage .outlines rect')].map((one) => {"
        "  const box = one.getBoundingClientRect();"
        "  return [(box.left - left) / scale, (box.top - top) / scale, box.width / scale, box.height / scale]; })"
    )
    assert [[round(edge) for edge in place] for place in places] == [[10, 10, 20, 20], [40, 10, 40, 40]]
    page.js("document.querySelector('.stage .outlines a').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    page.until("h1", "2 pictures of this person")
    assert "2 faces in it" in page.seen(".around")
    assert page.text(".others strong") == "Face 1"
    page.click(".others a")
    page.until(".others strong", "Face 2")
    page.until("h1", "2 pictures of this person")


def test_an_uploaded_picture_offers_its_faces(
    page: Page, ids: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describing, "load_shipped", DrawnFinder)
    sent = draw_people(tmp_path / "sent.png", {"ben": (5, 5, 70, 70), "anna": (80, 10, 90, 20)})
    page.find("#picture input[multiple]").send_keys(str(sent))
    page.until("h1", "like yours")
    page.click("#person")
    page.until("h1", "2 pictures of this person")
    page.follow("Face 2")
    page.until(".others strong", "Face 2")
    page.until("h1", "2 pictures of this person")


def test_an_uploaded_film_offers_the_people_in_it(
    page: Page, ids: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    monkeypatch.setattr(describing, "load_shipped", DrawnFinder)
    page.open("")
    page.find("#picture input[multiple]").send_keys(str(make_drawn_film(tmp_path / "sent.gif", tmp_path)))
    page.until("h1", "like yours")
    page.click("#person")
    page.until("h1", "2 pictures of this person")
    assert len(page.all(".around .outlines rect")) == 1
    page.follow("Face 2")
    page.until(".others strong", "Face 2")
    page.until("h1", "2 pictures of this person")


def test_people_are_named_on_their_page_and_found_by_words(page: Page, site: Site, ids: dict[str, int]) -> None:
    page.open("people")
    assert len(page.all(".people .cut")) == 2
    assert page.js("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.find(".people [type=text]").send_keys("Anna")
    page.click(".people button")
    page.until(".done", "The name was saved")
    page.search("anna")
    page.until("h1", "2 pictures")
    assert "Person: Anna" in page.text(".matched")
    undo(site.library.store)
