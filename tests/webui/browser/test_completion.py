"""Find as you type: live hits in order, completions of this library, marks, and recent searches on this device."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from selenium.webdriver.common.keys import Keys

from tests.webui.browser.conftest import Site
from tests.webui.browser.page import Page

FIELD = "#words [name=q]"
ROWS = "#completions li"
SENT = "return performance.getEntriesByType('resource').map((one) => one.name).filter((one) => one.includes('q='))"
LATE = """
const [late] = arguments;
const real = window.fetch;
window.fetch = async (address, options) => {
  const answer = await real(address, options);
  if (String(address).startsWith('/?' + late)) await new Promise((go) => setTimeout(go, 600));
  return answer;
};
"""


def type_in(page: Page, text: str) -> None:
    page.find(FIELD).send_keys(text)


def asked(page: Page) -> str:
    return parse_qs(urlsplit(page.driver.current_url).query).get("q", [""])[0]


def test_hits_come_while_typing_as_one_entry_of_the_history_and_the_field_keeps_text_and_focus(page: Page) -> None:
    type_in(page, "red boat")
    page.until("h1", "red boat")
    page.wait(lambda: asked(page) == "red boat")
    type_in(page, " wat")
    page.until("h1", "red boat water")
    assert page.find(FIELD).get_property("value") == "red boat wat"
    assert page.focused(FIELD) == 0
    page.press(Keys.ENTER)
    page.wait(lambda: asked(page) == "red boat wat")
    page.driver.back()
    page.until("h1", "In your library")


def test_an_answer_that_comes_late_is_not_shown(page: Page) -> None:
    page.js(LATE, "q=red")
    type_in(page, "red")
    page.wait(lambda: page.js(SENT + ".some((one) => one.includes('/?q=red'))"))
    page.find(FIELD).clear()
    type_in(page, "green")
    page.until("h1", "green")
    page.js("return new Promise((go) => setTimeout(go, 700))")
    assert "green" in page.text("h1")
    assert asked(page) == "green"


def test_nothing_is_sent_twice_and_pictures_that_stay_are_not_loaded_again(page: Page) -> None:
    type_in(page, "red")
    page.until("h1", "red")
    page.wait(lambda: page.js("return document.querySelector('.hit img').naturalWidth > 0"))
    page.js("document.querySelector('.hit img').kept = true")
    first = page.js("return document.querySelector('.hit img').getAttribute('src')")
    type_in(page, " b")
    page.wait(lambda: asked(page) != "red")
    same = "return [...document.querySelectorAll('.hit img')].filter((one) => one.getAttribute('src') === arguments[0])"
    assert page.js(f"{same}.map((one) => Boolean(one.kept))", first) == [True]
    type_in(page, Keys.BACKSPACE + Keys.BACKSPACE)
    page.wait(lambda: asked(page) == "red")
    completed = [one for one in page.js(SENT) if "complete?" in one]
    assert len(completed) == len(set(completed))


def test_words_folders_and_values_of_this_library_are_offered_with_counts(page: Page) -> None:
    type_in(page, "bo")
    page.wait(lambda: page.texts(ROWS))
    assert page.texts(ROWS)[0] == "boatin captions · 14"
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.wait(lambda: page.find(FIELD).get_property("value") == "boat ")
    type_in(page, "tow")
    page.wait(lambda: page.texts(ROWS) == ["townfolder · 20"])
    page.click(ROWS)
    page.wait(lambda: page.texts(".active li"))
    assert asked(page) == "boat"
    assert "folder=" in page.driver.current_url


def test_what_is_excluded_is_a_red_chip_and_what_is_unknown_is_underlined_and_corrected(page: Page) -> None:
    type_in(page, "feild -green house")
    page.wait(lambda: page.texts("#said .unknown") == ["feild"])
    assert page.texts("#said .out") == ["-green"]
    assert page.text(ROWS) == "fieldinstead of feild"
    page.click(ROWS)
    page.wait(lambda: page.find(FIELD).get_property("value") == "field -green house")
    page.wait(lambda: not page.texts("#said .unknown"))


def test_recent_searches_stay_on_this_device_and_can_be_cleared(page: Page) -> None:
    page.js("localStorage.clear()")
    page.search("red boat")
    page.until("h1", "red boat")
    page.open()
    page.click(FIELD)
    page.wait(lambda: page.texts(ROWS))
    assert page.texts(ROWS)[0] == "red boatrecent"
    page.click(ROWS, 1)
    page.wait(lambda: not page.texts(ROWS))
    assert page.js("return localStorage.length") == 0
    page.search("green")
    page.until("h1", "green")
    page.open()
    page.press(Keys.ARROW_DOWN)
    page.wait(lambda: page.texts(ROWS))
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.until("h1", "green")


def test_typing_with_an_upload_or_on_another_page_sends_nothing_but_words(page: Page, site: Site) -> None:
    page.find(".pick:not(.camera) input").send_keys(site.photo("green"))
    page.until("h1", "like yours")
    calls = site.captioner.calls
    type_in(page, "boat")
    page.wait(lambda: page.texts(ROWS) or page.js(SENT + ".some((one) => one.includes('complete?q=boat'))"))
    assert site.captioner.calls == calls
    page.open("library")
    type_in(page, "red")
    page.wait(lambda: page.js(SENT + ".some((one) => one.includes('complete?q=red'))"))
    assert page.text("h1").startswith("Library")
