"""Exact and near copies: in groups with a choice that is remembered and undone, and beside a picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing

import pytest
from PIL import Image
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.keys import Keys

from data.settings import load_settings
from retrieval.library import Library
from tests.webui.browser.conftest import WIDTHS, Site
from tests.webui.browser.page import Page
from tests.webui.conftest import ColourCaptioner, add, draw, running
from webui.app import create_app


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two pictures in two files each, one of them a third time in another format, and one picture alone."""
    folder = tmp_path_factory.mktemp("copies")
    with closing(Library.open(load_settings(library=folder / "library"), create=True)) as library:
        for colour in ("red", "green"):
            add(library, folder / "a" / f"{colour}.png", draw(colour))
            add(library, folder / "b" / f"{colour}.png", draw(colour))
        buffer = io.BytesIO()
        Image.open(io.BytesIO(draw("red"))).save(buffer, "WEBP", lossless=True)
        add(library, folder / "c" / "red.webp", buffer.getvalue())
        add(library, folder / "blue.png", draw("blue"))
        with running(create_app(library, ColourCaptioner)) as address:
            yield Site(address, library, folder, ColourCaptioner())


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, chromium: WebDriver, copied: Site) -> Page:
    return Page(chromium, copied.address, request.param)


def test_exact_copies_stand_side_by_side(page: Page) -> None:
    page.open()
    page.follow("Copies")
    page.until("h1", "2 groups")
    assert len(page.all(".group")) == 2
    tops = [one.rect["y"] for one in page.all(".group:first-of-type li")]
    assert len(tops) == 2
    assert tops[0] == tops[1]
    assert "never deletes files" in page.text("main > .soft")


def test_what_to_keep_is_remembered_and_undone(page: Page, copied: Site) -> None:
    page.open("duplicates")
    page.click(".group input[type=checkbox]", 1)
    page.click(".group input[type=checkbox]", 0)
    page.follow("Keep these")
    page.wait(lambda: page.all(".group .passed"))
    ticks = [one.is_selected() for one in page.all(".group:first-of-type input[type=checkbox]")]
    assert ticks == [False, True]
    page.follow("Show undecided only")
    page.until("h1", "1 group")
    page.follow("Show all")
    page.follow("Undo")
    page.wait(lambda: not page.all(".group .passed"))
    assert len(list(copied.photos.rglob("*.png"))) == 5, "no file was touched"


def test_pictures_that_look_alike_are_grouped_too(page: Page) -> None:
    page.open("duplicates")
    page.follow("Near")
    page.wait(lambda: len(page.all(".group li")) == 2)
    assert {one.rsplit(".", 1)[1] for one in page.texts(".group .path")} == {"png", "webp"}


def test_a_picture_shows_its_copies(page: Page) -> None:
    page.open("picture/1")
    assert page.text(".exact ~ .path").endswith("/b/red.png")
    page.click(".copies a")
    page.wait(lambda: page.text(".facts").find("WEBP") >= 0)


def test_the_best_comes_first_and_what_is_to_win_is_told(page: Page) -> None:
    page.open("duplicates?kind=near")
    page.wait(lambda: len(page.all(".group li")) == 2)
    assert page.text(".group li:first-child .soft").endswith("the best")
    assert [one.is_selected() for one in page.all(".group input[type=checkbox]")] == [True, False]
    assert "to win" in page.text("main > .soft")


def test_two_copies_are_compared_by_a_wipe(page: Page) -> None:
    page.open("duplicates?kind=near")
    page.follow("Compare")
    page.wait(lambda: page.all("#compare[open]"))
    loaded = "return [...document.querySelectorAll('.wipe img')].every((one) => one.naturalWidth > 0)"
    page.wait(lambda: page.js(loaded))
    over = page.find(".wipe .over")
    before = over.value_of_css_property("clip-path")
    page.find("#compare [type=range]").send_keys(Keys.END)
    assert over.value_of_css_property("clip-path") != before
    left = over.get_attribute("src")
    page.js(
        "const select = document.querySelector('#compare [name=left]'); select.value = 1;"
        "select.dispatchEvent(new Event('input', { bubbles: true }))"
    )
    page.wait(lambda: over.get_attribute("src") != left)
    page.follow("Close")
    page.wait(lambda: not page.all("#compare[open]"))
