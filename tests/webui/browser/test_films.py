"""Films on the page: a tile with its second, a player that begins there, scenes, and Live Photos."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver.chrome.webdriver import WebDriver

from data.limits import DEFAULT_LIMITS
from data.settings import load_settings
from retrieval.indexing.indexer import index
from retrieval.library import Library
from tests.films import BLUE, GREEN, RED, ColourCaptioner, make_film
from tests.webui.browser.page import Page
from tests.webui.conftest import running
from webui.app import create_app

DESK = 1440


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a library of a film that browsers play, and a Live Photo."""
    folder = tmp_path_factory.mktemp("films")
    photos = folder / "photos"
    photos.mkdir()
    make_film(photos / "wall.webm", codec="libvpx")
    Image.new("RGB", (120, 90), GREEN).save(photos / "IMG_1.jpg")
    make_film(photos / "IMG_1.mov", [RED], seconds=1)
    with closing(Library.open(load_settings(library=folder / "library"), create=True)) as library:
        index(library.store, ColourCaptioner(), [Path(photos)], DEFAULT_LIMITS)
        with running(create_app(library, ColourCaptioner)) as address:
            yield address


@pytest.fixture
def page(chromium: WebDriver, films: str) -> Page:
    shown = Page(chromium, films, DESK)
    shown.open()
    return shown


def test_a_tile_shows_the_second_and_the_film_plays_from_there(page: Page) -> None:
    page.open("?q=blue")
    assert page.text(".hit .length") == "0:04 of 0:06"
    page.click(".hit > a")
    page.wait(lambda: page.all("#viewer[open] #shown video"))
    page.wait(lambda: page.js("return document.querySelector('#shown video').currentTime") == pytest.approx(4, abs=0.2))
    assert page.text("#viewer h1") == "a blue wall"
    assert page.js("return document.querySelector('#shown video').error") is None


def test_a_scene_plays_from_its_time(page: Page) -> None:
    page.open("?q=blue")
    page.click(".hit > a")
    page.wait(lambda: page.all("#viewer[open] .strip a"))
    scenes = page.all(".strip a")
    assert [scene.text for scene in scenes] == ["0:00", "0:02", "0:04"]
    page.js("document.querySelectorAll('.strip a')[1].click()")
    page.wait(lambda: 2 <= page.js("return document.querySelector('#shown video').currentTime") < 4)
    assert page.all("#viewer[open]")


def test_without_a_query_a_film_has_its_length_and_first_frame(page: Page) -> None:
    assert [one.text for one in page.all(".hit .length")] == ["0:06"]
    assert "a red wall" in [one.text for one in page.all(".hit .caption")]


def test_a_live_photo_plays_in_place(page: Page) -> None:
    page.open("?q=IMG_1.jpg")
    page.click(".hit > a")
    page.wait(lambda: page.all("#viewer[open] [data-motion]"))
    page.js(
        "window.played = false;"
        "new MutationObserver(() => { window.played ||= !!document.querySelector('#shown .stage video'); })"
        ".observe(document.querySelector('#shown .stage'), { childList: true });"
        "document.querySelector('[data-motion]').click()"
    )
    page.wait(lambda: page.js("return window.played"))
    assert page.all("#viewer[open]")


def test_a_film_is_chosen_to_search_with(page: Page, tmp_path: Path) -> None:
    page.find("#picture input[multiple]").send_keys(str(make_film(tmp_path / "clip.mp4", [GREEN, BLUE])))
    page.wait(lambda: page.all("#chips [data-upload] img"))
    assert page.text(".hit .length").endswith("of 0:06")
    assert [one.get_attribute("data-do") for one in page.all("#chips button")] == ["turn", "drop"]
    assert page.js("return document.querySelector('#chips img').naturalWidth") > 0
