"""An upload says what it is, is searched for within its class, and a slider says how alike hits must be."""

from __future__ import annotations

import pytest

from data.catalogue.values import Value
from data.catalogue.writes import NewField, declare_fields, put_facts
from tests.webui.browser.conftest import PICTURES, Site
from tests.webui.browser.page import Page
from tests.webui.classified import learn_shades
from tests.webui.conftest import COLOURS

SLIDE = """
const slider = document.querySelector('#narrow [name=min_cosine] + [type=range]');
slider.value = arguments[0];
for (const kind of ['input', 'change']) slider.dispatchEvent(new Event(kind, { bubbles: true }));
"""


@pytest.fixture(scope="module", autouse=True)
def _shades(site: Site) -> None:
    """Each picture has its colour as a field, which was learnt."""
    ids = {colour: range(1 + number, PICTURES + 1, 3) for number, colour in enumerate(COLOURS)}
    with site.library.store.writing() as connection:
        shade = declare_fields(connection, [NewField("shade", "category", "Shade")])["shade"].id
        put_facts(connection, {one: {shade: Value(colour)} for colour, own in ids.items() for one in own})
    learn_shades(site.library, ids)


def test_an_upload_says_what_it_is_and_is_found_in_its_class(page: Page, site: Site) -> None:
    page.find(".pick:not(.camera) input").send_keys(site.photo("green"))
    page.until("h1", "like yours")
    assert page.text(".classes").startswith("This picture is green, ")
    page.follow("only green")
    page.wait(lambda: page.texts(".active a") == ["Shade: green"])
    assert page.text("h1").startswith("13 pictures like yours")
    assert "only green" not in page.text(".classes")


def test_the_slider_sets_the_least_cosine(page: Page) -> None:
    page.open("?like=2&all=true")
    assert page.text("h1").startswith("40 pictures")
    page.js(SLIDE, "0.95")
    page.wait(lambda: "min_cosine=0.95" in page.driver.current_url)
    page.wait(lambda: 0 < len(page.all(".hit")) < 30)
    assert page.js("return document.querySelector('#narrow [type=range]').value") == "0.95"
    page.open("?like=2&group_by=shade&all=true")
    assert page.text(".group h2").startswith("green 13 pictures")
