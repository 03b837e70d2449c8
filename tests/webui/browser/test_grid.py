"""Hits as a justified grid: places known beforehand, pages, reasons, the keyboard, and what is chosen."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.webui.browser.page import SHIFT, Page

BOXES = """
return [...document.querySelectorAll('.frame')].map((one) => {
  const { left, top, width, height } = one.getBoundingClientRect();
  return [left, top, width, height];
})
"""
OWN_SHAPES = """
return [...document.querySelectorAll('.hit img')].map((one) => one.getAttribute('width') / one.getAttribute('height'))
"""
EVERYTHING = "?q=red+green+blue"


def test_rows_are_justified_and_show_pictures_in_their_own_shape(page: Page) -> None:
    page.open(EVERYTHING)
    boxes = page.js(BOXES)
    right = page.js("return document.querySelector('#grid').getBoundingClientRect().right")
    rows: dict[int, list[list[float]]] = {}
    for box in boxes:
        rows.setdefault(round(box[1]), []).append(box)
    full = list(rows.values())[:-1]
    assert len(full) >= 3
    for row in full:
        assert max(box[3] for box in row) - min(box[3] for box in row) < 1, "one height a row"
        assert abs(row[-1][0] + row[-1][2] - right) < 1, "the row reaches the edge"
    shapes = page.js("return [...document.querySelectorAll('.hit img')].map((one) => one.width / one.height)")
    kept = page.js(OWN_SHAPES)
    assert all(abs(shape / own - 1) < 0.03 for shape, own in zip(shapes, kept, strict=True))


def test_nothing_moves_while_pictures_load(page: Page) -> None:
    page.open(EVERYTHING)
    places = page.js(BOXES)
    page.js("document.querySelectorAll('img').forEach((one) => { one.loading = 'eager'; })")
    page.wait(lambda: page.js("return [...document.querySelectorAll('.hit img')].every((one) => one.naturalWidth > 0)"))
    assert page.js(BOXES) == places
    assert page.driver.execute_async_script(SHIFT) < 0.01


def test_thumbnails_below_the_fold_are_lazy(page: Page) -> None:
    page.open(EVERYTHING)
    lazy = page.js("return [...document.querySelectorAll('.hit img')].map((one) => one.loading)")
    assert lazy == ["auto"] * 8 + ["lazy"] * 22


def test_each_hit_tells_its_caption_and_its_relevance(page: Page) -> None:
    page.open("?q=red+boat")
    assert page.text(".hit .caption") == "a red boat on the water"
    assert page.text(".hit .score").endswith("%")


def test_why_is_told_on_request(page: Page) -> None:
    page.open("?q=boats+red")
    assert not page.all(".why")
    page.follow("Show why")
    page.wait(lambda: page.all(".why"))
    assert page.texts(".hit:first-child .caption mark") == ["red", "boat"]
    assert page.texts(".hit:first-child .why dt")[:2] == ["BLEU", "Cosine"]
    bar = page.find(".hit:first-child meter")
    shown = float(page.text(".hit:first-child .why dd span"))
    assert abs(float(bar.get_attribute("value") or 0) - shown) < 0.01
    page.driver.refresh()
    assert page.all(".why"), "it is part of the address"
    page.follow("Hide why")
    page.wait(lambda: not page.all(".why"))


def test_pages_are_links_and_more_can_be_shown_in_place(page: Page) -> None:
    page.open(EVERYTHING)
    first = page.texts(".hit .caption")
    # A click by the mouse would scroll to it, which shows more hits in its place.
    page.js("document.querySelector(\".pager a[aria-label='Page 2']\").click()")
    page.wait(lambda: len(page.all(".hit")) == 10)
    assert "offset=30" in page.driver.current_url
    assert page.text(".pager [aria-current=page]") == "2"
    page.driver.back()
    page.wait(lambda: len(page.all(".hit")) == 30)
    assert page.texts(".hit .caption") == first
    page.js("scrollTo(0, document.body.scrollHeight)")
    page.wait(lambda: len(page.all(".hit")) == 40)
    assert page.text("[data-seen]") == "1–40 shown"
    assert not page.all(".more")
    assert len({one.get_attribute("value") for one in page.all(".tick input")}) == 40
    page.driver.refresh()
    assert len(page.all(".hit")) == 40


def test_arrows_walk_the_grid(page: Page) -> None:
    page.open(EVERYTHING)
    page.click("input[name=q]")
    page.press(Keys.ARROW_DOWN)
    assert page.focused(".hit > a") == 0
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert page.focused(".hit > a") == 1
    tops = [box[1] for box in page.js(BOXES)]
    page.press(Keys.ARROW_DOWN)
    assert tops[page.focused(".hit > a")] == min(top for top in tops if top > tops[1])
    page.press(Keys.ARROW_UP)
    assert tops[page.focused(".hit > a")] == tops[1]
    page.press(Keys.END)
    assert page.focused(".hit > a") == 29
    page.press(Keys.HOME)
    assert page.focused(".hit > a") == 0


def test_the_grid_is_one_stop_of_the_tab_key(page: Page) -> None:
    page.open(EVERYTHING)
    stops = "return [...document.querySelectorAll('#grid a, #grid input')].filter((one) => one.tabIndex === 0).length"
    assert page.js(stops) == 1
    page.js("document.querySelectorAll('.hit > a')[4].focus()")
    page.press(Keys.TAB)
    assert page.focused("#grid *") == -1
    ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
    assert page.focused(".hit > a") == 4


def test_hits_are_chosen_by_box_range_and_key(page: Page) -> None:
    page.open(EVERYTHING)
    assert not page.find("#selection").is_displayed()
    page.js("document.querySelector('.hit > a').focus()")
    page.press("x")
    page.until("#selection output", "1 selected")
    fourth = page.all(".tick input")[3]
    ActionChains(page.driver).key_down(Keys.SHIFT).click(fourth).key_up(Keys.SHIFT).perform()
    page.until("#selection output", "4 selected")
    page.click(".tick input", 3)
    page.until("#selection output", "3 selected")
    page.js("document.querySelector('.hit > a').focus()")
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.find("#selection").is_displayed())


def test_a_picture_whose_file_is_gone_says_so(page: Page) -> None:
    page.open(EVERYTHING)
    page.js("document.querySelector('.hit img').src = '/api/v1/pictures/999/thumbnail'")
    page.until(".hit .missing", "missing")


def test_hits_and_a_selection_are_exported(page: Page, tmp_path: Path) -> None:
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path), "eventsEnabled": False}
    )
    page.open("?q=red+boat&format=PNG")
    page.follow("Export")
    page.follow("CSV, table")
    page.wait(lambda: (tmp_path / "retroflex.csv").exists())
    assert len((tmp_path / "retroflex.csv").read_text().splitlines()) == 1 + int(page.text("h1").split(" ")[0])
    page.js("document.querySelectorAll('.hit > a')[1].focus()")
    page.press("x", Keys.ARROW_RIGHT, "x")
    page.follow("ZIP")
    page.wait(lambda: (tmp_path / "retroflex.zip").exists())
    with ZipFile(tmp_path / "retroflex.zip") as files:
        assert len([name for name in files.namelist() if name.endswith(".png")]) == 2


def test_who_scrolls_gets_more_and_nothing_moves(page: Page) -> None:
    page.open("?sort=newest")
    kept = "return [...document.querySelectorAll('.frame')].slice(0, 24).map((one) => one.offsetTop)"
    before = page.js(kept)
    page.js("scrollTo(0, document.body.scrollHeight)")
    page.wait(lambda: len(page.all(".hit")) == 40)
    assert page.focused(".hit > a") == -1, "who scrolls keeps the focus"
    assert page.js(kept) == before
