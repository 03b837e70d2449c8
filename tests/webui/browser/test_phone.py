"""What a phone expects: swipe, zoom, a sheet of filters, sharing, installing, and a page without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.webui.browser.conftest import WIDTHS, Site
from tests.webui.browser.page import Page
from tests.webui.conftest import add, draw, running
from webui.app import create_app

pytestmark = pytest.mark.parametrize("page", WIDTHS[:1], indirect=True)

TRANSFORM = "return document.querySelector('.stage > img').style.transform"


def touch(page: Page, *moves: list[tuple[int, int]]) -> None:
    """Put fingers down at the first places, move them through the others, and lift them."""
    for number, places in enumerate(moves):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        page.driver.execute_cdp_cmd(
            "Input.dispatchTouchEvent", {"type": "touchMove" if number else "touchStart", "touchPoints": points}
        )
    page.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def shown(page: Page) -> str:
    return str(page.js("return document.querySelector('#shown')?.dataset.id ?? ''"))


def opened(page: Page) -> str:
    page.open("?q=red+boat")
    page.click(".hit > a")
    page.wait(lambda: page.all("#viewer h1"))
    return shown(page)


def test_a_swipe_leads_to_the_next_picture_and_back(page: Page) -> None:
    first = opened(page)
    touch(page, [(300, 200)], [(200, 205)], [(80, 205)])
    page.wait(lambda: shown(page) != first)
    touch(page, [(80, 200)], [(200, 205)], [(300, 205)])
    page.wait(lambda: shown(page) == first)


def test_two_fingers_zoom_and_then_one_moves_the_picture(page: Page) -> None:
    first = opened(page)
    touch(page, [(170, 200), (190, 200)], [(140, 200), (220, 200)], [(100, 200), (260, 200)])
    page.wait(lambda: "scale" in page.js(TRANSFORM))
    before = page.js(TRANSFORM)
    touch(page, [(300, 200)], [(200, 205)], [(80, 205)])
    page.wait(lambda: page.js(TRANSFORM) != before)
    assert shown(page) == first, "a zoomed picture is moved, not left"


def test_filters_are_a_sheet_with_done(page: Page) -> None:
    page.open("?q=red+boat")
    page.follow("Filters")
    sheet = page.find("#narrow")
    page.wait(lambda: abs(sheet.rect["width"] - page.width) < 2)
    bottom = "return document.querySelector('#narrow').getBoundingClientRect().bottom - innerHeight"
    assert abs(page.js(bottom)) < 2
    page.follow("Done")
    page.wait(lambda: not page.find(".filters .narrow").is_displayed())


def test_nothing_is_said_of_dropping(page: Page) -> None:
    page.open()
    assert "drop" not in page.find("body").text.lower()
    assert "take one" in page.find("body").text


def test_a_picture_is_shared_as_a_file(page: Page) -> None:
    page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SHARES})
    page.open("picture/1")
    page.follow("Share")
    assert page.wait(lambda: page.js("return window.shared")) == ["red 0.jpg", "image/jpeg", "a red boat on the water"]


KEPT = """
return (async () => {
const names = await caches.keys();
const kept = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
return kept.flat().map((one) => new URL(one.url).pathname);
})();
"""
SHARES = """
navigator.canShare = () => true;
navigator.share = async ({ files: [file], title }) => { window.shared = [file.name, file.type, title]; };
"""


def test_it_can_be_installed(page: Page) -> None:
    page.open()
    answer: Any = page.driver.execute_cdp_cmd("Page.getAppManifest", {})
    assert answer["errors"] == []
    manifest = json.loads(answer["data"])
    assert manifest["display"] == "standalone"
    sizes = (
        "const one = new Image(); one.src = arguments[0]; return one.decode().then(() => `${one.width}x${one.height}`)"
    )
    folder = answer["url"].rpartition("/")[0]
    for icon in manifest["icons"]:
        assert page.js(sizes, f"{folder}/{icon['src']}") == icon["sizes"]


def test_without_a_server_there_is_a_page_that_says_so_and_nothing_private_is_kept(page: Page, site: Site) -> None:
    with running(create_app(site.library, lambda: site.captioner)) as address:
        there = Page(page.driver, address, page.width)
        there.open("?q=red+boat")
        there.wait(lambda: there.js("return navigator.serviceWorker.ready.then(() => true)"))
        there.open("?q=red+boat")
        there.wait(lambda: there.js("return Boolean(navigator.serviceWorker.controller)") or there.driver.refresh())
        addresses = there.wait(lambda: there.js(KEPT))
        assert all(one.startswith(("/static/", "/offline/en")) for one in addresses)
    there.open("?q=green")
    there.wait(lambda: there.text("h1") == "Retroflex cannot be reached")


SPREAD = """
const image = document.querySelector(".stage > img");
const send = (type, pointerId, clientX) => image.dispatchEvent(
  new PointerEvent(type, { pointerId, pointerType: "touch", clientX, clientY: 200, bubbles: true }));
for (const [type, left, right] of [["pointerdown", 170, 190], ["pointermove", 100, 260], ["pointerup", 100, 260]]) {
  send(type, 1, left);
  send(type, 2, right);
}
"""


def test_zoom_loads_the_file_in_place_of_the_preview(page: Page, site: Site) -> None:
    add(site.library, site.photos / "large.jpg", draw("blue", (2400, 1600), picture_format="JPEG"))
    large = max(site.library.store.pictures(range(1, 99)))
    source = "return document.querySelector('.stage > img').currentSrc"
    page.open(f"picture/{large}")
    page.wait(lambda: f"/pictures/{large}/thumbnail" in page.js(source))  # as wide as this screen
    page.js(SPREAD)
    page.wait(lambda: f"/pictures/{large}/file" in page.js(source))
    assert "scale" in page.js(TRANSFORM)
