"""Filters and the order of hits, kept in the address, and an empty state that says what to loosen."""

from __future__ import annotations

import pytest
from selenium.webdriver.support.ui import Select

from tests.webui.browser.page import Page


def total(page: Page) -> str:
    return page.text("h1").split(" ")[0]


def choose(page: Page, name: str, value: str) -> None:
    """Choose in the form of the filters, which stays open."""
    if not page.find(f"#narrow [name={name}]").is_displayed():
        page.click("#filters summary")
    if name == "format":
        page.click(f"#narrow [name=format][value={value}]")
    elif name.startswith("taken"):
        page.js(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', { bubbles: true }))",
            page.find(f"#narrow [name={name}]"),
            value,
        )
    else:
        Select(page.find(f"#narrow [name={name}]")).select_by_value(value)
    page.wait(lambda: f"{name}={value}" in page.driver.current_url)


@pytest.mark.parametrize(
    ("name", "value", "label", "left"),
    [
        ("taken_from", "2021-02-01", "From 1 February 2021", "12"),
        ("taken_to", "2021-01-05", "Until 5 January 2021", "5"),
        ("orientation", "portrait", "Portrait", "10"),
        ("format", "PNG", "PNG", "13"),
        ("source", "model", "Not captioned by you", "40"),
        ("max_side", "640", "At most 640 px", "40"),
    ],
)
def test_each_filter_narrows_and_can_be_left_out(page: Page, name: str, value: str, label: str, left: str) -> None:
    page.open("?q=red+green+blue")
    assert total(page) == "40"
    choose(page, name, value)
    page.wait(lambda: page.texts(".active a") == [label])
    assert total(page) == left
    page.driver.refresh()
    assert total(page) == left, "the address keeps it"
    page.click(".active a")
    page.wait(lambda: f"{name}=" not in page.driver.current_url and total(page) == "40")


def test_a_folder_is_chosen_by_its_name(page: Page) -> None:
    page.open("?q=red+green+blue")
    page.click("#filters summary")
    Select(page.find("[name=folder]")).select_by_visible_text("beach (20)")
    page.wait(lambda: page.texts(".active a") == ["In beach"])
    assert total(page) == "20"
    assert page.find("#filters[open]"), "more filters can be chosen"


def test_filters_join_and_stay_with_other_words(page: Page) -> None:
    page.open("?q=red")
    choose(page, "orientation", "square")
    choose(page, "format", "JPEG")
    page.wait(lambda: len(page.texts(".active a")) == 2)
    page.search("green")
    page.until("h1", "green")
    assert page.texts(".active a") == ["Square", "JPEG"]


def test_hits_come_by_relevance_or_date(page: Page) -> None:
    page.open("?q=red+boat")
    best = [one.get_attribute("value") for one in page.all(".tick input")]
    choose(page, "sort", "oldest")
    page.wait(lambda: page.find(".tick input").get_attribute("value") == "1")
    oldest = [int(one.get_attribute("value") or 0) for one in page.all(".tick input")]
    assert oldest == sorted(oldest)
    choose(page, "sort", "newest")
    page.wait(lambda: page.find(".tick input").get_attribute("value") != "1")
    Select(page.find("#narrow [name=sort]")).select_by_visible_text("Best first")
    page.wait(lambda: [one.get_attribute("value") for one in page.all(".tick input")] == best)


def test_the_library_is_browsed_with_filters_too(page: Page) -> None:
    page.open("?format=WEBP")
    assert page.text("[data-seen]").endswith("of 12 pictures")
    page.open()
    assert page.text("[data-seen]") == "1–30 of 40 pictures"


def test_nothing_found_says_which_filter_to_leave_out(page: Page) -> None:
    page.open("?q=red&format=PNG&taken_from=2030-01-01")
    assert page.text("h1") == "No picture is close to red"
    offers = page.texts(".empty .examples a")
    assert len(offers) == 1, "leaving out the format alone would not help"
    assert offers[0].startswith("Without “From 1 January 2030”: ")
    page.click(".empty .examples a")
    page.wait(lambda: page.all(".hit"))
    assert total(page) == offers[0].split(": ")[1].split(" ")[0]


def test_without_a_hit_at_all_it_is_said_plainly(page: Page) -> None:
    page.open("?q=xyzzy")
    assert "None of 40 pictures is close." in page.text(".empty")
    page.follow("View the library")
    page.until("h1", "In your library")


def test_filters_apply_without_script(page: Page) -> None:
    page.without_script(True)
    try:
        page.open("?q=red+green+blue")
        page.click("#filters summary")
        page.click("#narrow [name=format][value=PNG]")
        page.follow("Apply")
        page.wait(lambda: page.seen(".active a") == "PNG")
        page.wait(lambda: page.seen("h1").startswith("13 pictures"))
    finally:
        page.without_script(False)
