"""Favourites, albums, saved searches and the slideshow, as a person uses them, with and without the page's script."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from data.albums.albums import delete_album, find_album, list_albums, make_album
from data.albums.favourites import set_favourites
from data.albums.membership import read_membership
from tests.webui.browser.conftest import PICTURES, WIDTHS, Site
from tests.webui.browser.page import SHIFT, Page
from tests.webui.browser.test_phone import touch
from tests.webui.browser.test_views import violations

HEARTS = "return [...document.querySelectorAll('.hit .heart[aria-pressed=true]')].map((one) => one.dataset.id)"
HEIGHTS = """
const rows = new Map();
for (const tile of document.querySelectorAll(".hit")) {
  const { left, right, top } = tile.getBoundingClientRect();
  const row = rows.get(Math.round(top)) ?? { heights: [], left, right: 0 };
  row.heights.push(tile.firstElementChild.getBoundingClientRect().height);
  row.right = Math.max(row.right, right);
  rows.set(Math.round(top), row);
}
const width = document.querySelector("#grid").getBoundingClientRect().right;
return [...rows.values()].map((row) => [Math.min(...row.heights), Math.max(...row.heights), width - row.right]);
"""


@pytest.fixture(autouse=True)
def nothing_picked(site: Site) -> None:
    """Every test begins without favourites and albums."""
    set_favourites(site.library.store, range(1, PICTURES + 1), False)
    for one in list_albums(site.library.store):
        delete_album(site.library.store, one.id)


def pictures_of(site: Site, album: str) -> list[int]:
    """Return the pictures of an album by its name, none where there is no such album (yet)."""
    return next((list(one.pictures) for one in list_albums(site.library.store) if one.name == album), [])


def favourites(site: Site) -> list[int]:
    with site.library.store.reading() as connection:
        return list(read_membership(connection).favourites.tolist())


def select(page: Page, *places: int) -> list[int]:
    """Tick the tiles at these places; return their ids."""
    for place in places:
        page.js("document.querySelectorAll('.tick input')[arguments[0]].click()", place)
    return [int(page.js("return document.querySelectorAll('.tick input')[arguments[0]].value", one)) for one in places]


def test_a_heart_and_f_mark_favourites_in_the_grid_and_the_viewer(page: Page, site: Site) -> None:
    page.open("?q=red+boat")
    page.click(".hit .heart")
    page.wait(lambda: page.js(HEARTS))
    first = int(page.js(HEARTS)[0])
    page.wait(lambda: favourites(site) == [first])
    page.js("document.querySelectorAll('.hit > a')[1].focus()")
    page.press("f")
    page.wait(lambda: len(page.js(HEARTS)) == 2)
    page.press(Keys.ENTER)
    page.wait(lambda: page.all("#viewer h1"))
    assert page.find("#shown .heart").get_attribute("aria-pressed") == "true"
    page.press("f")
    page.wait(lambda: page.js(HEARTS) == [str(first)])
    assert page.find("#shown .heart").get_attribute("aria-pressed") == "false"
    assert favourites(site) == [first]
    page.open("?favourite=yes")
    assert len(page.all(".hit")) == 1


def test_selected_pictures_go_into_an_album_and_undo_takes_them_out(page: Page, site: Site) -> None:
    page.open("?q=red+boat")
    chosen = select(page, 2, 0)
    page.click("#into summary")
    page.find("#into input").send_keys("Sea" + Keys.ENTER)
    page.until("#status", "2 pictures added to Sea")
    assert sorted(find_album(site.library.store, "Sea").pictures) == sorted(chosen)
    more = select(page, 3)
    page.click("#into summary")
    page.follow("Add to Sea")
    page.until("#status", "1 picture added to Sea")
    assert find_album(site.library.store, "Sea").pictures[-1:] == more
    page.follow("Undo")
    page.until("#status", "The change was undone.")
    assert len(find_album(site.library.store, "Sea").pictures) == 2
    page.click("#selection [value=favourite]")
    page.until("#status", "3 more favourites")
    assert sorted(favourites(site)) == sorted([*chosen, *more])
    page.follow("Undo")
    page.until("#status", "The change was undone.")
    assert favourites(site) == []


def test_an_album_is_shown_in_its_order_and_a_search_is_saved(page: Page, site: Site) -> None:
    number = make_album(site.library.store, "Sea", [10, 1, 7, 4])
    page.open(f"?album={number}")
    assert page.text("h1").startswith("Sea")
    assert page.js("return [...document.querySelectorAll('.tick input')].map((one) => one.value)") == [
        "10",
        "1",
        "7",
        "4",
    ]
    select(page, 2)
    page.click("#into summary")
    page.follow("To the front")
    page.wait(lambda: find_album(site.library.store, number).pictures[0] == 7)
    page.open(f"?q=red+boat&album={number}")
    page.click("#save summary")
    page.follow("Save")
    page.wait(lambda: page.text("h1").startswith("Albums"))
    assert find_album(site.library.store, "red boat").query == f"q=red+boat&album={number}"
    assert page.texts(".people b") == ["red boat", "Sea"]
    page.click(".people a")
    page.wait(lambda: "red boat" in page.text("h1"))


ORDER = "return [...document.querySelectorAll('.tick input')].map((one) => Number(one.value))"
DRAG = """
const [from, to] = arguments;
const tiles = [...document.querySelectorAll(".hit")], box = tiles[to].getBoundingClientRect();
const carried = new DataTransfer();
carried.items.add(new File(["x"], "x.png", { type: "image/png" }));
const send = (name, target) => target.querySelector("img").dispatchEvent(new DragEvent(name, {
  dataTransfer: carried, bubbles: true, cancelable: true, clientX: box.left + 3, clientY: box.top + 9 }));
for (const [name, target] of [["dragstart", from], ["dragenter", to], ["dragover", to]]) send(name, tiles[target]);
const marked = document.querySelector(".before") === tiles[to] && document.querySelector("#drop").hidden;
for (const [name, target] of [["drop", to], ["dragend", from]]) send(name, tiles[target]);
return marked && !document.querySelector(".before");
"""


@pytest.mark.parametrize("page", WIDTHS[1:], indirect=True)
def test_pictures_of_an_album_are_moved_by_dragging_and_by_keys(page: Page, site: Site) -> None:
    number = make_album(site.library.store, "Sea", [1, 4, 7, 10])

    def stored() -> list[int]:
        return list(find_album(site.library.store, number).pictures)

    page.open(f"?album={number}")
    assert page.js(DRAG, 3, 1), "a mark says where it would go, and nothing is searched for"
    page.wait(lambda: stored() == [1, 10, 4, 7])
    page.until("#status", "Now 2 of 4 in the album")
    assert page.js(ORDER) == stored()
    ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).perform()
    page.wait(lambda: stored() == [1, 4, 10, 7])
    page.until("#status", "Now 3 of 4")
    page.follow("Undo")
    page.wait(lambda: stored() == page.js(ORDER) == [1, 10, 4, 7])
    page.open(f"?album={number}&sort=newest")
    before = page.js(ORDER)
    page.js(DRAG, 3, 1)
    assert page.js(ORDER) == before, "only its own order can be changed"
    assert stored() == [1, 10, 4, 7]


@pytest.mark.parametrize("page", WIDTHS[1:], indirect=True)
def test_a_tile_is_put_into_an_album_by_its_own_button(page: Page, site: Site) -> None:
    number = make_album(site.library.store, "Sea", [1])
    page.open("?q=red+boat")
    select(page, 0)
    third = int(page.js(ORDER)[2])
    page.js("document.querySelectorAll('.put')[2].click()")
    page.follow("Add to Sea")
    page.wait(lambda: find_album(site.library.store, number).pictures == [1, third])
    page.wait(lambda: not page.js("return document.querySelectorAll('.tick :checked').length"))


@pytest.mark.parametrize("page", WIDTHS[:1], indirect=True)
def test_without_script_all_of_it_works(page: Page, site: Site) -> None:
    page.without_script(True)
    try:
        page.open("?q=red+boat")
        page.click(".hit .heart", 1)
        page.wait(lambda: len(favourites(site)) == 1)
        page.click(".tick input")
        page.click("#into summary")
        page.find("#into input").send_keys("Sea")
        page.follow("Make")
        page.wait(lambda: page.seen("h1").startswith("Sea"))
        page.click(".hit > a")
        page.find("#shown .heart").click()
        page.wait(lambda: len(favourites(site)) == 2)
        page.open("albums")
        page.follow("Change Sea")
        page.find(".people [name=name]").clear()
        page.find(".people [name=name]").send_keys("Ocean")
        page.follow("Save")
        page.wait(lambda: "Ocean" in page.seen(".people b"))
        page.follow("Change Ocean")
        page.follow("Delete")
        page.wait(lambda: not list_albums(site.library.store))
        page.follow("Undo: the deletion of the album Ocean")
        page.wait(lambda: pictures_of(site, "Ocean"))
        page.open("slideshow?q=red+boat&seconds=1&play=true")
        page.wait(lambda: "3 of 14" in page.seen("#slides p"))
    finally:
        page.without_script(False)


def test_a_slideshow_is_steered_by_keys_and_leads_on_by_itself(page: Page) -> None:
    page.open("?q=red+boat")
    page.click("[data-slides]")
    page.until("#slides p", "1 of 14")
    assert page.js("return document.querySelector('#slides').matches(':modal')")
    page.press(Keys.ARROW_LEFT)
    page.until("#slides p", "14 of 14")
    page.press(Keys.ARROW_RIGHT)
    page.until("#slides p", "1 of 14")
    assert page.all("#slides [aria-label=Play]"), "where less motion is wanted, it waits for a person to begin"
    assert violations(page) == []
    page.js(
        "const one = document.querySelector('#slides select'); one.value = 3; "
        "one.dispatchEvent(new Event('change', { bubbles: true }))"
    )
    page.wait(lambda: page.js("return document.querySelector('#slides select').value") == "3")
    page.press(" ")
    page.until("#slides p", "2 of 14")
    page.press(" ")
    page.wait(lambda: page.all("#slides [aria-label=Play]"))
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#slides"))
    assert page.focused("[data-slides]") == 0


WATCHED = """
window.asked = [];
Element.prototype.requestFullscreen = async function () { asked.push("full screen"); };
Object.defineProperty(navigator, "wakeLock", { value: { request: async (what) => {
  asked.push(what);
  return { release: async () => asked.push("released") };
} } });
"""


@pytest.mark.parametrize("page", WIDTHS[:1], indirect=True)
def test_a_slideshow_takes_the_whole_screen_keeps_it_on_and_follows_fingers(page: Page) -> None:
    page.open("?q=red+boat")
    page.js(WATCHED)
    page.click("[data-slides]")
    page.until("#slides p", "1 of 14")
    assert page.js("return asked") == ["full screen"], "nothing plays yet, so the screen may go off"
    touch(page, [(180, 300)], [(181, 300)])
    page.wait(lambda: page.all("#slides [aria-label=Pause]"))
    page.wait(lambda: "screen" in page.js("return asked"))
    touch(page, [(180, 300)], [(181, 300)])
    page.wait(lambda: page.all("#slides [aria-label=Play]"))
    page.wait(lambda: page.js("return asked").count("released") == page.js("return asked").count("screen"))
    touch(page, [(300, 300)], [(200, 300)], [(80, 300)])
    page.wait(lambda: page.text("#slides p").endswith("2 of 14"))
    touch(page, [(80, 300)], [(200, 300)], [(300, 300)])
    page.wait(lambda: page.text("#slides p").endswith("1 of 14"))


def test_last_rows_are_as_high_as_the_others_or_fill_the_line(page: Page) -> None:
    for place in ("", "?q=red+boat"):
        page.open(place)
        assert page.driver.execute_async_script(SHIFT) < 0.01
        rows = page.js(HEIGHTS)
        assert len(rows) > 2
        assert all(highest - lowest < 1.5 for lowest, highest, _ in rows)
        assert all(abs(left) < 1.5 for *_, left in rows[:-1])
        last, before = rows[-1], rows[-2]
        assert abs(last[1] - before[1]) < 1.5 or (abs(last[2]) < 1.5 and last[1] <= 1.25 * before[1])
