"""One picture: over the grid or as a page of its own, with its captions, facts and neighbours."""

from __future__ import annotations

from urllib.parse import urlsplit

from selenium.webdriver.common.keys import Keys

from tests.webui.browser.page import Page

QUERY = "?q=red+boat"


def shown(page: Page) -> str:
    """The id of the large picture, "" for none."""
    return str(page.js("return document.querySelector('#shown')?.dataset.id ?? ''"))


def test_a_hit_opens_over_the_grid_and_back_closes_it(page: Page) -> None:
    page.open(QUERY)
    page.js("window.here = true")
    page.click(".hit > a")
    page.wait(lambda: shown(page))
    assert page.find("#viewer[open] .stage img").get_attribute("alt") == "a red boat on the water"
    assert urlsplit(page.driver.current_url).path == f"/picture/{shown(page)}"
    page.driver.back()
    page.wait(lambda: not page.all("#viewer[open]"))
    page.driver.forward()
    page.wait(lambda: page.all("#viewer[open] #shown"))
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#viewer[open]"))
    assert page.driver.current_url.endswith(QUERY)
    assert page.focused(".hit > a") == 0
    assert page.js("return window.here")


def test_its_address_is_a_page_of_its_own(page: Page) -> None:
    page.open(QUERY)
    page.click(".hit > a")
    first = page.wait(lambda: shown(page))
    page.driver.refresh()
    assert shown(page) == first
    assert not page.all("#viewer[open]")
    assert page.text("h1") == "a red boat on the water"
    page.press(Keys.ARROW_RIGHT)
    page.wait(lambda: shown(page) not in {"", first})
    page.press(Keys.ESCAPE)
    page.wait(lambda: len(page.all(".hit")) > 1)
    assert "q=red+boat" in page.driver.current_url


def test_arrows_go_to_the_neighbours_and_enter_opens(page: Page) -> None:
    page.open(QUERY)
    ids = [one.get_attribute("value") for one in page.all(".tick input")]
    page.js("document.querySelector('.hit > a').focus()")
    page.press(Keys.ENTER)
    page.wait(lambda: shown(page) == ids[0])
    page.press(Keys.ARROW_RIGHT)
    page.wait(lambda: shown(page) == ids[1])
    page.click("#viewer .next")
    page.wait(lambda: shown(page) == ids[2])
    page.press(Keys.ARROW_LEFT)
    page.wait(lambda: shown(page) == ids[1])
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#viewer[open]"))
    assert page.focused(".hit > a") == 1


def test_the_last_hit_of_a_page_leads_to_the_next_page(page: Page) -> None:
    page.open("?q=red+green+blue")
    page.click(".hit > a", 29)
    last = page.wait(lambda: shown(page))
    page.press(Keys.ARROW_RIGHT)
    page.wait(lambda: shown(page) not in {"", last})
    page.press(Keys.ARROW_LEFT)
    page.wait(lambda: shown(page) == last)


def test_it_tells_all_captions_with_their_source_and_the_facts(page: Page) -> None:
    page.open("picture/1")
    assert page.text("h1") == "a red boat on the water"
    assert page.text(".about .source") == "By colours-1"
    assert page.text(".others li").startswith("something red")
    facts = dict(zip(page.texts(".facts dt"), page.texts(".facts dd"), strict=True))
    assert facts["Taken"] == "1 January 2021, 12:00 (by the camera)"
    assert facts["Camera"] == "Retina IIIc"
    assert facts["Folder"] == "beach"
    assert facts["Size"].startswith("120 × 90 px")
    assert facts["File"].startswith("JPEG, ")
    assert page.text(".path").endswith("beach/red 0.jpg")


def test_the_file_can_be_opened_and_downloaded(page: Page) -> None:
    page.open("picture/1")
    assert page.link("Open the file").get_attribute("target") == "_blank"
    assert page.link("Download").get_attribute("download") == "red 0.jpg"


def test_more_like_this_alone_and_beside_the_query(page: Page) -> None:
    page.open(QUERY)
    page.click(".hit > a")
    page.follow("More like this")
    page.until("h1", "like the chosen")
    assert "q=" not in page.driver.current_url
    page.open(QUERY)
    page.click(".hit > a")
    page.follow("Less like this")
    page.wait(lambda: "unlike=" in page.driver.current_url)
    assert page.all("#chips .avoided")


def test_a_caption_is_corrected_found_and_undone(page: Page) -> None:
    words = f"a zeppelin over {page.width} hills"
    page.open(QUERY)
    page.click(".hit > a", 1)
    page.follow("Correct the caption")
    page.find("#viewer textarea").clear()
    page.find("#viewer textarea").send_keys(words)
    page.follow("Save")
    page.until("#viewer h1", words)
    assert page.text("#viewer .source") == "Yours"
    assert words in page.texts(".hit .caption"), "the grid shows it as well"
    picture = shown(page)
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#viewer[open]"))
    page.search(f"zeppelin {page.width}")
    page.until("h1", "zeppelin")
    assert page.text(".hit .caption") == words
    page.open(f"picture/{picture}")
    page.follow("Undo the last caption change")
    page.until("h1", "a red boat on the water")
    assert page.text(".about .source") == "By colours-1"


def test_a_caption_is_corrected_without_script(page: Page) -> None:
    page.without_script(True)
    try:
        page.open("picture/7?q=red+boat&at=2")
        page.follow("Correct the caption")
        page.find("textarea").clear()
        page.find("textarea").send_keys("a submarine")
        page.follow("Save")
        page.wait(lambda: "The caption was saved" in page.driver.page_source)
        page.wait(lambda: page.seen("h1") == "a submarine")
        page.follow("Undo the last caption change")
        page.wait(lambda: "The change was undone" in page.driver.page_source)
        page.wait(lambda: page.seen("h1") == "a red boat on the water")
    finally:
        page.without_script(False)
