"""Steering a search: more and less on each hit, weights, the slider between words and looks, and why in plain words."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.webui.browser.page import Page


def asked(page: Page, name: str) -> list[str]:
    return parse_qs(urlsplit(page.driver.current_url).query).get(name, [])


def test_more_and_less_on_a_hit_rank_anew_in_place(page: Page) -> None:
    page.open("?q=red+green")
    page.js("window.here = true")
    first = page.js("return document.querySelector('.tick input').value")
    page.js("document.querySelector('.hit > a').focus()")
    page.press("+")
    page.wait(lambda: asked(page, "like") == [first])
    page.wait(lambda: len(page.all("#chips li")) == 1)
    page.js("document.querySelectorAll('.steer')[1].style.opacity = 1")
    second = page.js("return document.querySelectorAll('.tick input')[1].value")
    page.click(".hit:nth-child(2) .steer a + a")
    page.wait(lambda: asked(page, "unlike") == [second])
    assert page.js("return window.here"), "without a reload"
    assert page.text("#words input[name=q]") == ""


def test_more_and_less_are_seen_where_nothing_hovers(page: Page) -> None:
    page.open("?q=red")
    seen = "return Number(getComputedStyle(document.querySelector('.steer')).opacity)"
    if page.width < 600:
        assert page.js(seen) == 1
    else:
        page.js("document.querySelector('.hit > a').focus()")
        assert page.js("return document.querySelectorAll('.steer a').length") == 2 * len(page.all(".hit"))


def test_each_chip_has_a_weight_and_the_slider_weighs_looks_against_words(page: Page) -> None:
    page.open("?q=red&like=2&all=true")
    page.click("#chips .weight")
    page.wait(lambda: asked(page, "like") == ["2@2"])
    assert page.find(".balance input").get_attribute("value") == "1"
    page.js(
        "const one = document.querySelector('.balance input'); one.value = -2;"
        "one.dispatchEvent(new Event('change', { bubbles: true }))"
    )
    page.wait(lambda: asked(page, "like") == ["2@0.25"])
    page.wait(lambda: page.text("#chips .weight") == "×0.25")


def test_why_is_a_sentence_with_the_figures_folded_away(page: Page) -> None:
    page.open("?q=a+red+boat+on+water&why=true")
    sentence = page.text(".hit:first-child .why > p")
    assert sentence.startswith("Says red, boat and water; ")
    assert sentence.endswith("% sure.")
    assert page.texts(".hit:first-child .caption mark") == ["red", "boat", "water"], "content words alone"
    figures = page.find(".hit:first-child .figures dl")
    assert not figures.is_displayed()
    page.click(".hit:first-child .figures summary")
    page.wait(figures.is_displayed)
