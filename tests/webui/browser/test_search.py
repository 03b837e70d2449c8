"""One bar for words and pictures, and a query that lives in the address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from tests.webui.browser.conftest import Site
from tests.webui.browser.page import Page

RED, GREEN, BLUE = "a red boat on the water", "a green field under a tree", "a blue house by the sea"


def query(page: Page) -> str:
    return urlsplit(page.driver.current_url).query


def chips(page: Page, count: int) -> list[str]:
    """Wait for so many pictures in the bar, and return what they are there for."""
    page.wait(lambda: len(page.all("#chips li")) == count)
    return [
        str(one)
        for one in page.js("return [...document.querySelectorAll('#chips img')].map((one) => one.alt.split(':')[0])")
    ]


def test_typed_words_find_pictures(page: Page) -> None:
    page.search("red boat")
    page.until("h1", "red boat")
    assert page.texts(".hit .caption")[:4] == [RED] * 4
    page.wait(lambda: page.js("return document.querySelector('.hit img').naturalWidth > 0"))
    assert page.find(".hit img").get_attribute("alt") == RED
    assert page.driver.title.startswith("red boat")
    assert query(page) == "q=red+boat"


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_dropped_or_pasted_picture_finds_others_like_it(page: Page, kind: str) -> None:
    assert page.hand_over(kind, "/api/v1/pictures/3/file")
    page.until("h1", "like yours")
    assert page.text(".hit .caption") == BLUE
    assert page.text(".captions li") == BLUE
    assert page.find("#chips img").get_property("naturalWidth") > 0


def test_pictures_are_picked_several_at_once(page: Page, site: Site) -> None:
    page.find(".pick:not(.camera) input").send_keys(f"{site.photo('red')}\n{site.photo('green')}")
    page.until("h1", "like yours")
    assert chips(page, 2) == ["Your picture", "Your picture"]
    assert {RED, GREEN} == set(page.texts(".hit .caption")[:10])


def test_a_phone_offers_its_camera(page: Page, site: Site) -> None:
    camera = page.find(".camera")
    assert camera.is_displayed() == (page.width < 600)
    taking = page.find(".camera input")
    assert taking.get_attribute("capture") == "environment"
    taking.send_keys(site.photo("green"))
    page.until(".captions li", GREEN)


def test_words_and_pictures_mix_and_each_picture_can_be_avoided(page: Page, site: Site) -> None:
    page.search("boat")
    page.until("h1", "boat")
    page.find(".pick:not(.camera) input").send_keys(site.photo("blue"))
    page.until("h1", "like yours")
    assert chips(page, 1) == ["Your picture"]
    assert page.find("input[name=q]").get_property("value") == "boat"
    page.click("#chips [data-do=turn]")
    page.wait(lambda: chips(page, 1) == ["Your picture to avoid"])
    assert RED in page.texts(".hit .caption")[0]
    page.click("#chips [data-do=drop]")
    chips(page, 0)
    page.until("h1", "for")
    assert query(page) == "q=boat"


def test_a_hit_joins_the_query_wanted_or_to_avoid(page: Page) -> None:
    page.search("red boat")
    page.until("h1", "red boat")
    page.js("window.here = true")
    page.click(".hit > a")
    page.follow("Add to search")
    assert chips(page, 1) == ["More like"]
    assert query(page).startswith("q=red+boat&like=")
    page.search("blue")  # The chosen picture stays for other words.
    page.until("h1", "blue")
    assert chips(page, 1) == ["More like"]
    page.click("#chips li a:not(.weight)")
    page.wait(lambda: chips(page, 1) == ["Less like"])
    assert "unlike=" in query(page)
    page.click("#chips li a:last-of-type")
    chips(page, 0)
    assert query(page) == "q=blue"
    assert page.js("return window.here"), "the page was loaded anew"


def test_back_forward_reload_and_sharing(page: Page) -> None:
    page.search("red boat")
    page.until("h1", "red boat")
    page.search("blue house")
    page.until("h1", "blue house")
    page.driver.back()
    page.until("h1", "red boat")
    page.driver.forward()
    page.until("h1", "blue house")
    page.driver.refresh()
    page.until("h1", "blue house")
    shared = page.driver.current_url
    page.open()
    page.driver.get(shared)
    page.until("h1", "blue house")
    assert page.find("input[name=q]").get_property("value") == "blue house"


def test_an_uploaded_picture_outlives_back_forward_and_reload(page: Page, site: Site) -> None:
    page.find(".pick:not(.camera) input").send_keys(site.photo("green"))
    page.until("h1", "like yours")
    page.search("blue")
    page.wait(lambda: "q=blue" in query(page))
    page.driver.back()
    page.wait(lambda: page.text("h1").startswith("40 pictures like yours"))
    assert query(page) == ""
    assert page.text(".hit .caption") == GREEN
    page.driver.refresh()
    page.until("h1", "like yours")
    assert page.text(".hit .caption") == GREEN
    page.driver.back()
    page.until("h1", "In your library")


def test_the_slash_goes_to_the_words_and_escape_leaves_them(page: Page) -> None:
    page.open("?q=red")
    page.press("/")
    assert page.focused("input[name=q]") == 0
    assert page.find("input[name=q]").get_property("value") == "red"
    page.press(Keys.ESCAPE)
    assert page.focused("input[name=q]") == -1
    assert page.find("input[name=q]").get_property("value") == "red", "a search field would be emptied"


def test_a_question_mark_shows_the_keys(page: Page) -> None:
    page.open("?q=red")
    page.press("?")
    page.until("#keys[open] h2", "Keys")
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#keys[open]"))
    page.press("/")
    page.press("?")
    assert not page.all("#keys[open]"), "while typing it is a character"


def test_an_error_is_a_message_and_the_hits_stay(page: Page, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    page.search("red boat")
    page.until("h1", "red boat")
    page.find(".pick:not(.camera) input").send_keys(str(tmp_path / "text.jpg"))
    page.until("[role=alert]", "not a picture")
    assert page.all(".hit")
    page.search("blue")
    page.until("h1", "blue")
    assert not page.all("[role=alert]")


def test_too_large_a_picture_is_refused_before_it_is_sent(page: Page, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(b"x" * 300_001)
    page.find(".pick:not(.camera) input").send_keys(str(tmp_path / "large.png"))
    page.until("[role=alert]", "too large")


def test_a_server_that_went_away_is_a_message(page: Page) -> None:
    page.js("window.fetch = () => Promise.reject(new TypeError('no network'))")
    page.search("red")
    page.until("[role=alert]", "does not answer")


def test_it_works_without_script(page: Page, site: Site) -> None:
    page.without_script(True)
    try:
        page.open()
        page.search("red boat")
        page.wait(lambda: "red boat" in page.seen("h1"))
        page.click(".hit > a")
        page.wait(lambda: page.seen(".about h1").lower() == RED)
        page.follow("Add to search")
        page.wait(lambda: "like=" in query(page))
        assert page.find("#chips img")
        page.open()
        page.find(".pick:not(.camera) input").send_keys(site.photo("green"))
        page.follow("Search by picture")
        page.wait(lambda: page.seen(".captions li") == GREEN)
        page.open("?q=red+blue+green")
        page.follow("Next")
        page.wait(lambda: "offset=30" in query(page) and len(page.all(".hit")) == 10)
    finally:
        page.without_script(False)
