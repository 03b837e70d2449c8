"""The library: folders added and removed, indexing with live progress, what was skipped, and the captioner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from data.paths import to_bytes
from data.roots import remember_root
from data.settings import load_settings
from retrieval.library import Library
from tests.webui.browser.conftest import WIDTHS, Site
from tests.webui.browser.page import Page
from tests.webui.conftest import ColourCaptioner, add, draw, running
from webui.app import create_app

PICTURES = 60
PATIENCE = 180
"""Seconds for a process with a deep-learning library to start on a machine that has other things to do."""
NAMES = ".server-folders .name"
TELL = """
const line = document.querySelector('#progress-line');
window.told = [];
new MutationObserver(() => told.push(line.textContent)).observe(line, { childList: true });
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Site]:
    """A library without a folder, on a machine with folders of pictures and a file that is none."""
    folder = tmp_path_factory.mktemp("machine")
    for width in WIDTHS:
        place = folder / "pictures" / f"album {width}"
        (place / "old").mkdir(parents=True)
        for number in range(PICTURES):
            (place / f"{number}.png").write_bytes(draw("red", seed=width + number))
        (place / "broken.jpg").write_text("no picture")
    settings = load_settings(library=folder / "library", bundle=tiny_bundle)
    with closing(Library.open(settings, create=True)) as library:
        app = create_app(library, ColourCaptioner, roots=[folder / "pictures"])
        with running(app) as address:
            yield Site(address, library, folder / "pictures", ColourCaptioner())


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, chromium: WebDriver, empty: Site) -> Page:
    return Page(chromium, empty.address, request.param)


def enter(page: Page, name: str) -> None:
    """Look into a folder."""
    page.wait(lambda: name in page.texts(NAMES))
    page.click(NAMES, page.texts(NAMES).index(name))
    page.until("#add h2", f"/{name}")


def test_an_empty_library_leads_to_its_page(page: Page) -> None:
    page.open()
    page.follow("Choose a folder")
    page.until("h1", "Library")
    enter(page, "pictures")
    assert page.texts(NAMES) == ["album 1440", "album 360"]


@pytest.mark.slow
def test_a_folder_is_added_indexed_before_ones_eyes_and_removed(page: Page) -> None:
    """Runs the real indexer in its process, which takes seconds to start."""
    page.open("library?add=true")
    enter(page, "pictures")
    enter(page, f"album {page.width}")
    page.follow("Add this folder and index it")
    page.until("#progress h2", "Indexing")
    page.js(TELL)
    seen: list[str] = []
    page.wait(lambda: seen.extend(page.js("return window.told ?? []")) or page.all(".done"), PATIENCE)
    assert any(" of 61 files" in one for one in seen), "progress came without a reload"
    assert page.text(".done") == "Indexing is done. 60 pictures were captioned. 1 file was skipped."
    assert page.text(".folders .soft").startswith("60 pictures · 1 file skipped · indexed ")
    assert "has described 60 pictures" in page.text("[aria-labelledby=model]")
    page.follow("View 1 skipped file and the reason")
    page.until(".skipped dt", "broken.jpg")
    assert "not a picture" in page.text(".skipped dd")
    page.follow("Back to the library")
    page.follow("View")
    page.until("[data-seen]", "of 60 pictures")
    page.open("library")
    page.follow("Remove")
    assert "No file is touched" in page.text(".ask")
    page.follow("Yes, remove it")
    page.until("h1", "Library 0 pictures")
    assert not page.all(".folders")


@pytest.mark.slow
@pytest.mark.parametrize("page", WIDTHS[:1], indirect=True)
def test_indexing_is_stopped_by_a_button(page: Page) -> None:
    page.open("library?add=true")
    enter(page, "pictures")
    enter(page, f"album {page.width}")
    page.follow("Add this folder and index it")
    page.follow("Stop")
    page.wait(lambda: page.all(".done"), PATIENCE)
    assert page.text(".done").startswith("Indexing was stopped. ")
    page.follow("Remove")
    page.follow("Yes, remove it")
    page.wait(lambda: not page.all(".folders"))


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS[:1])
def test_a_new_captioner_captions_all_anew_but_a_persons_own(
    width: int, chromium: WebDriver, tmp_path: Path, tiny_bundle: Path
) -> None:
    """The pictures were described by another captioner than the one that is set now."""
    settings = load_settings(library=tmp_path / "library", bundle=tiny_bundle)
    with closing(Library.open(settings, create=True)) as library:
        for number in range(3):
            add(library, tmp_path / "photos" / f"{number}.png", draw("red", seed=number))
        remember_root(library.store, to_bytes(tmp_path / "photos"))
        library.store.set_user_caption(1, "our very own words")
        app = create_app(library, ColourCaptioner)
        with running(app) as address:
            page = Page(chromium, address, width)
            page.open("library")
            assert "3 pictures were described by another captioner" in page.text("[aria-labelledby=model]")
            page.follow("Caption them again")
            page.wait(lambda: page.all(".done"), PATIENCE)
            assert page.text(".done") == "Indexing is done. 3 pictures were captioned."
            assert "has described 3 pictures" in page.text("[aria-labelledby=model]")
            page.open("picture/1")
            page.until("#caption", "our very own words")
