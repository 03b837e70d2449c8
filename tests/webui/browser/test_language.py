"""The page in other languages: texts of scripts, and words that are longer than the English ones."""

from __future__ import annotations

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
KEPT_OFFLINE = """
    return caches.keys().then((names) => Promise.all(names.map((name) => caches.open(name).then((one) => one.keys()))))
        .then((all) => all.flat().map((one) => new URL(one.url).pathname).filter((path) => path.startsWith("/offline")))
"""
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


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


@pytest.mark.parametrize("language", ["de", "fr", "cs", "es"])
def test_longer_words_fit(page: Page, language: str) -> None:
    page.open(f"?lang={language}")
    for view in VIEWS:
        page.open(view)
        assert page.js(OVERFLOW) <= 0, view


def test_what_is_shown_without_a_server_follows_the_language(page: Page) -> None:
    for language in ("de", "cs"):
        page.open(f"?lang={language}")
        page.wait(lambda kept=f"/offline/{language}": page.js(KEPT_OFFLINE) == [kept] or page.driver.refresh())
