"""A sketch is drawn with the mouse and finds a picture."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw
from selenium.webdriver import ActionChains

from tests.webui.browser.conftest import Site
from tests.webui.browser.page import Page

pytest.importorskip("cv2")

from captioner.encoders.descriptors.sketch import EdgeOrientations
from captioner.pipeline import VectorDescriber
from retrieval.indexing.indexer import index

BOX = ((-0.3, -0.35), (0.2, -0.35), (0.2, 0.35), (-0.3, 0.35), (-0.3, -0.35))
"""Corners, in shares of the canvas from its centre."""


@pytest.fixture(scope="module", autouse=True)
def _outlines(site: Site) -> None:
    """A grey box among the site's pictures, all with outlines."""
    image = Image.new("RGB", (200, 200), "white")
    corners = [tuple(round(200 * (0.5 + share)) for share in BOX[corner]) for corner in (0, 2)]
    ImageDraw.Draw(image).rectangle((*corners[0], *corners[1]), "#ddd")
    image.save(site.photos / "box.png")
    index(site.library.store, VectorDescriber(EdgeOrientations()), [site.photos], site.library.settings.limits)


def test_drawn_outlines_find_the_picture(page: Page, site: Site) -> None:
    page.open("sketch")
    page.click("#sketch .main")
    assert "Draw something first" in page.seen(".alert")
    canvas = page.find("#sketch canvas")
    side = canvas.size["width"]
    hand = ActionChains(page.driver, duration=0)
    points = [(round(side * right), round(side * down)) for right, down in BOX]
    hand.move_to_element_with_offset(canvas, *points[0]).click_and_hold()
    for point in points[1:]:
        hand.move_to_element_with_offset(canvas, *point)
    hand.release().perform()
    page.click("#sketch .main")
    page.until("h1", "like yours")
    assert "by=sketch" in page.driver.current_url
    first = page.js("return document.querySelector('.hit > a').getAttribute('href')")
    assert site.library.picture(int(str(first).split("/picture/")[1].split("?")[0])).shown_paths[0].endswith("box.png")
