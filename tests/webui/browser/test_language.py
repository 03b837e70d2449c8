"""The page in other languages: texts of scripts, and words that are longer than the English ones."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.webui.browser.page import Page

pytestmark = pytest.mark.slow

VIEWS = (
    "",
    "?q=red&why=true&all=true",
    "?q=xyzzy",
    "library?add=true",
    "duplicates",
    "people",
    "sketch",
    "picture/1?q=red&at=0",
)
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


pytestmark = pytest.mark.skipif(
    "RETROFLEX_TEST_LANGUAGES" not in os.environ,
    reason="the browser stops answering now and then, why is not known yet; RETROFLEX_TEST_LANGUAGES=1 runs them",
)


@pytest.fixture(autouse=True)
def forget(page: Page) -> Iterator[None]:
    yield
    page.driver.delete_all_cookies()


def test_a_language_is_chosen_from_the_page_and_stays(page: Page) -> None:
    page.open("?q=red")
    page.click("#languages summary")
    page.follow("Deutsch")
    page.wait(lambda: page.js("return document.documentElement.lang") == "de")
    assert page.js("return location.search") == "?q=red"
    page.search("green")
    page.wait(lambda: "Bilder zu" in page.text("h1"))
    page.click("#languages summary")
    page.follow("English")
    page.until("h1", "pictures for green")


def test_scripts_speak_the_language_too(page: Page) -> None:
    page.open("?lang=de")
    page.js("document.querySelectorAll('.tick input')[0].click(); document.querySelectorAll('.tick input')[1].click()")
    page.until("#selection output", "2 ausgewählt")
    page.find("input[name=q]").send_keys("fiel")
    page.until("#completions", "in Beschreibungen")
    page.open("picture/1")
    page.follow("Ausschnitt suchen")
    assert page.find(".chooser .box").get_attribute("aria-label").startswith("Der Ausschnitt: Pfeile")
    page.follow("Abbrechen")
    page.open("sketch")


@pytest.mark.parametrize("page", [360], indirect=True)  # a desk has room for any language
@pytest.mark.parametrize("language", ["de", "fr", "cs", "es"])
def test_longer_words_fit(page: Page, language: str) -> None:
    page.open(f"?lang={language}")
    for view in VIEWS:
        page.open(view)
        assert page.js(OVERFLOW) <= 0, view
