"""The page in headless Chromium, against the real server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from retrieval.library import Library

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
    "--window-size=1280,900",
)

# Hands a file to the page as a drop or a paste does; the browser's own drag cannot be driven from outside.
DROP = """
const [address, kind] = arguments;
return fetch(address).then((response) => response.blob()).then((blob) => {
  const carried = new DataTransfer();
  carried.items.add(new File([blob], "x.png", { type: blob.type }));
  if (kind === "paste") {
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: carried, bubbles: true, cancelable: true }));
    return true;
  }
  const event = (name) => new DragEvent(name, { dataTransfer: carried, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event("dragenter"));
  const marked = !document.querySelector("#drop").hidden;
  document.body.dispatchEvent(event("drop"));
  return marked && document.querySelector("#drop").hidden;
});
"""

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="needs Debian's packages chromium and chromium-driver"
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(CHROMEDRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: WebDriver, address: str) -> WebDriver:
    """The browser on the start page."""
    chromium.get(address)
    return chromium


def wait(browser: WebDriver, condition: Callable[[WebDriver], Any]) -> Any:
    return WebDriverWait(browser, 20).until(condition)


def find(browser: WebDriver, selector: str) -> Any:
    return wait(browser, lambda driver: driver.find_element(By.CSS_SELECTOR, selector))


def heading(browser: WebDriver, part: str) -> None:
    """Wait until the summary over the hits holds `part`."""
    script = "return document.querySelector('.summary h1')?.textContent ?? ''"
    wait(browser, lambda driver: part in driver.execute_script(script))


def captions(browser: WebDriver) -> list[str]:
    script = "return [...document.querySelectorAll('.hit .caption')].map((each) => each.textContent)"
    return list(browser.execute_script(script))


def search(browser: WebDriver, words: str) -> None:
    box = find(browser, "input[name=q]")
    box.clear()
    box.send_keys(words, Keys.ENTER)


def test_type_and_see_hits(browser: WebDriver) -> None:
    search(browser, "red boat")
    heading(browser, "for")
    assert captions(browser)[:4] == ["a red boat on the water"] * 4
    shown = "return [...document.querySelectorAll('.hit img')].slice(0, 4).every((one) => one.naturalWidth > 0)"
    wait(browser, lambda driver: driver.execute_script(shown))
    assert find(browser, ".hit img").get_attribute("alt") == "a red boat on the water"
    assert browser.title.startswith("red boat")
    assert browser.current_url.endswith("?q=red+boat")


def test_going_back_shows_what_was_there(browser: WebDriver) -> None:
    search(browser, "red boat")
    heading(browser, "red boat")
    search(browser, "blue house")
    heading(browser, "blue house")
    browser.back()
    heading(browser, "red boat")
    browser.back()
    heading(browser, "In your library")


def test_upload_and_see_hits(browser: WebDriver, photo_folder: Path) -> None:
    find(browser, "input[name=image]").send_keys(str(photo_folder / "green 4.png"))
    heading(browser, "like yours")
    assert captions(browser)[0] == "a green field under a tree"
    assert find(browser, ".query li").text == "a green field under a tree"
    assert find(browser, ".query img").get_property("naturalWidth") > 0


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_drop_or_paste_and_see_hits(browser: WebDriver, kind: str) -> None:
    assert browser.execute_script(DROP, "/api/v1/pictures/3/file", kind)
    heading(browser, "like yours")
    assert captions(browser)[0] == "a blue house by the sea"


def test_an_error_is_a_message_and_the_hits_stay(browser: WebDriver, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    search(browser, "red boat")
    heading(browser, "red boat")
    find(browser, "input[name=image]").send_keys(str(tmp_path / "text.jpg"))
    assert "not a picture" in find(browser, "[role=alert]").text
    assert captions(browser)
    search(browser, " ")
    # Asked of the document, as an element found may be replaced before it is read.
    told = "return document.querySelector('[role=alert]')?.textContent ?? 'not a picture'"
    wait(browser, lambda driver: "not a picture" not in driver.execute_script(told))
    search(browser, "blue")
    heading(browser, "blue")
    assert not browser.find_elements(By.CSS_SELECTOR, "[role=alert]")


def test_too_large_a_picture_is_refused_before_it_is_sent(browser: WebDriver, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(b"x" * 300_001)
    find(browser, "input[name=image]").send_keys(str(tmp_path / "large.png"))
    assert "too large" in find(browser, "[role=alert]").text


def test_a_server_that_went_away_is_a_message(browser: WebDriver) -> None:
    browser.execute_script("window.fetch = () => Promise.reject(new TypeError('no network'))")
    search(browser, "red")
    assert "does not answer" in find(browser, "[role=alert]").text


def test_more_hits_are_added_below(
    browser: WebDriver, library: Library, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    for seed in range(100, 124):
        add_picture(library, photo_folder / f"{seed}.png", painted("red", seed=seed))
    browser.refresh()
    find(browser, "input[name=image]").send_keys(str(photo_folder / "110.png"))
    heading(browser, "36")
    assert len(captions(browser)) == 30
    find(browser, ".more").click()
    wait(browser, lambda driver: len(captions(driver)) == 36)
    assert find(browser, "[data-seen]").text.endswith("36 shown, best first")
    assert not browser.find_elements(By.CSS_SELECTOR, ".more")
    ids = [hit.get_attribute("data-id") for hit in browser.find_elements(By.CSS_SELECTOR, ".hit")]
    assert len(set(ids)) == 36


def test_the_viewer_by_keyboard_alone(browser: WebDriver) -> None:
    search(browser, "boat field")
    heading(browser, "field")
    browser.execute_script("document.querySelector('.hit a').focus()")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    viewer = find(browser, "#viewer[open]")
    first = find(browser, "#viewer .path").text
    assert "bleu" in viewer.text
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    wait(browser, lambda driver: find(driver, "#viewer .path").text != first)
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(browser, lambda driver: not driver.find_elements(By.CSS_SELECTOR, "#viewer[open]"))
    back = "return document.activeElement === document.querySelectorAll('.hit > a')[1]"
    wait(browser, lambda driver: driver.execute_script(back))


def test_a_hit_leads_to_pictures_like_it(browser: WebDriver) -> None:
    search(browser, "blue house")
    heading(browser, "blue house")
    path = steer(browser, "Find similar")
    heading(browser, "like the chosen")
    find(browser, ".hit a").click()
    assert find(browser, "#viewer .path").text == path


def steer(browser: WebDriver, how: str) -> str:
    """Follow a link that the viewer shows for the first hit, and return the path of that picture."""
    find(browser, ".hit a").click()
    path = str(find(browser, "#viewer .path").text)
    find(browser, "#viewer[open]").find_element(By.LINK_TEXT, how).click()
    return path


def chosen(browser: WebDriver, count: int) -> list[str]:
    """Wait for so many chosen pictures, and return what they are there for."""
    wait(browser, lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".chosen a")) == count)
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, ".chosen a")]


def test_more_like_this_joins_the_words_without_a_reload(browser: WebDriver) -> None:
    search(browser, "red boat")
    heading(browser, "red boat")
    browser.execute_script("window.here = true")
    steer(browser, "More like this")
    assert chosen(browser, 1) == ["More like"]
    assert "q=red+boat&like=" in browser.current_url
    search(browser, "blue")  # The chosen picture stays for other words.
    heading(browser, "blue")
    assert chosen(browser, 1) == ["More like"]
    find(browser, ".chosen a").click()
    chosen(browser, 0)
    assert browser.current_url.endswith("?q=blue")
    browser.back()
    assert chosen(browser, 1) == ["More like"]
    assert browser.execute_script("return window.here")


def test_less_like_this_pushes_a_picture_down(browser: WebDriver, photo_folder: Path) -> None:
    find(browser, "input[name=image]").send_keys(str(photo_folder / "green 4.png"))
    heading(browser, "like yours")
    path = steer(browser, "Less like this")
    assert chosen(browser, 1) == ["Less like"]
    assert find(browser, ".query img")  # The upload is still part of the query.
    find(browser, ".hit a").click()
    assert find(browser, "#viewer .path").text != path
    assert "Unlike 1" in find(browser, "#viewer-about").text


def test_nothing_close_and_the_nearest_anyway(knowing: Library, browser: WebDriver) -> None:
    search(browser, "red puppy")
    assert "red puppy" in find(browser, ".empty h1").text
    find(browser, ".empty a").click()
    heading(browser, "12 pictures")
    assert "all=true" in browser.current_url


def test_a_picture_whose_file_is_gone_says_so(chromium: WebDriver, address: str, photo_folder: Path) -> None:
    for path in photo_folder.iterdir():
        path.unlink()
    chromium.execute_cdp_cmd("Network.clearBrowserCache", {})
    chromium.get(f"{address}?q=red+boat")
    assert "gone" in find(chromium, ".hit .missing").text


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("place", ["", "?q=red", "?q=red&like=2&unlike=3", "?q=xyzzy", "?q="])
def test_nothing_sticks_out_sideways(browser: WebDriver, address: str, width: int, place: str) -> None:
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address + place)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_works_without_scripts(browser: WebDriver, address: str, photo_folder: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        search(browser, "red boat")
        assert "red boat" in find(browser, ".summary q").text
        find(browser, ".hit .steer a:nth-of-type(2)").click()
        assert chosen(browser, 1) == ["More like"]
        find(browser, "input[name=image]").send_keys(str(photo_folder / "green 4.png"))
        find(browser, "#picture button").click()
        assert find(browser, ".query li").text == "a green field under a tree"
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_browser_has_nothing_to_complain_about(browser: WebDriver, address: str) -> None:
    browser.get_log("browser")
    browser.get(f"{address}?q=red&like=2")
    find(browser, ".hit a").click()
    find(browser, "#viewer[open]")
    assert browser.get_log("browser") == []
