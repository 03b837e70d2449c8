"""A part of a picture as a query, and where the words of a caption are seen."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.webui.browser.conftest import Site
from tests.webui.browser.page import Page

DARKNESS = """
const pen = document.querySelector('.seen').getContext('2d');
return [100, 400].map((x) => pen.getImageData(x, 256, 1, 1).data[3]);
"""
ANSWERED = """
const words = [[2, 5, [255, 0, 255, 0]], [6, 10, [0, 255, 0, 255]]];
const answer = {
  caption: "a red boat on the water", edge: 2,
  words: words.map(([start, end, cells]) => ({ start, end, seen: 0.9 - start / 100, cells })),
};
window.fetch = async () => new Response(JSON.stringify(answer), { headers: { "Content-Type": "application/json" } });
"""
"""The answer of the server to where words are seen: red at the left, boat at the right."""


def test_a_part_of_the_picture_is_searched_by_a_box(page: Page) -> None:
    page.open("?q=red+boat")
    page.click(".hit > a")
    page.wait(lambda: page.all("#viewer h1"))
    page.follow("Search a part")
    box = page.find(".chooser .box")
    before = box.rect
    page.press(Keys.ARROW_LEFT)
    page.wait(lambda: box.rect["x"] < before["x"])
    area = page.find(".chooser")
    size = area.size
    drag = ActionChains(page.driver).move_to_element_with_offset(area, -size["width"] // 4, -size["height"] // 4)
    drag.click_and_hold().move_by_offset(size["width"] // 8, size["height"] // 8).release().perform()
    page.follow("Search this part")
    page.wait(lambda: "box=" in page.driver.current_url)
    shares = parse_qs(urlsplit(page.driver.current_url).query)["box"][0].split(",")
    meant = (0.25, 0.25, 0.375, 0.375)
    assert max(abs(float(one) - share) for one, share in zip(shares, meant, strict=True)) < 0.03
    page.until("h1", "like the chosen ones")
    page.click("#chips li > a[title='Search for all of it']")
    page.wait(lambda: "box=" not in page.driver.current_url)


def test_a_part_of_an_upload_is_searched(page: Page, site: Site) -> None:
    page.find(".pick:not(.camera) input").send_keys(site.photo("green"))
    page.until("h1", "like yours")
    page.click("#chips [data-do=part]")
    page.wait(lambda: page.all("#part[open] .box"))
    page.press(Keys.ENTER)
    page.wait(lambda: "box=0.25,0.25,0.75,0.75" in unquote(page.driver.current_url))
    page.until("h1", "like yours")


def test_what_is_not_known_to_be_seen_is_said(page: Page) -> None:
    """The drawn library has no cells."""
    page.open("picture/1")
    page.follow("Where are the words seen?")
    page.until("[role=alert]", "not known")


def test_a_word_of_the_caption_shows_where_it_is_seen(page: Page) -> None:
    page.open("picture/1")
    page.js(ANSWERED)
    page.follow("Where are the words seen?")
    page.wait(lambda: page.texts("#caption button") == ["red", "boat"])
    assert page.text("#caption") == "a red boat on the water"
    page.wait(lambda: page.all(".seen"))
    left, right = page.js(DARKNESS)
    assert left < right, "red, the word that is seen most, is at the left"
    page.click("#caption button", 1)
    page.wait(lambda: (one := page.js(DARKNESS)) and one[0] > one[1])
    picture, seen = (page.find(one).rect for one in (".stage img", ".seen"))
    assert abs(seen["width"] / seen["height"] - 120 / 90) < 0.1
    assert seen["x"] >= picture["x"] - 1
    page.follow("Where are the words seen?")
    page.wait(lambda: not page.all(".seen, #caption button"))
