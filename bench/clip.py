"""A clip for the README, made from the sample gallery: `python -m bench.clip OUT.webp`.

It shows a search while it is typed, where the words of a caption are seen, a search for a part, and steering. Needs
what `bench.screenshots` needs.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from bench.screenshots import browser, site

WIDTH, HEIGHT = 1280, 800
SHOWN = (880, 550)
MOST_BYTES = 3_000_000
FIELD = "#words [type=search]"
WORDS = "a man on a motorcycle"
ARROW = ((0, 0), (0, 20), (5, 16), (9, 24), (12, 22), (9, 15), (15, 15))


class Clip:
    """Frames of a browser with a pointer drawn into them, and the milliseconds that each is shown."""

    def __init__(self, driver: WebDriver) -> None:
        self._driver = driver
        self._at = (WIDTH // 2, HEIGHT // 2)
        self.frames: list[Image.Image] = []
        self.durations: list[int] = []

    def frame(self, milliseconds: int) -> None:
        """Take a frame once the pictures in sight are loaded."""
        loaded = (
            "return [...document.images].every((one) => one.complete || one.getBoundingClientRect().top > innerHeight)"
        )
        WebDriverWait(self._driver, 20).until(lambda one: one.execute_script(loaded))
        shot = Image.open(io.BytesIO(self._driver.get_screenshot_as_png())).convert("RGB")
        arrow = [(x + self._at[0], y + self._at[1]) for x, y in ARROW]
        ImageDraw.Draw(shot).polygon(arrow, fill="black", outline="white")
        self.frames.append(shot.resize(SHOWN, Image.Resampling.LANCZOS))
        self.durations.append(milliseconds)

    def find(self, selector: str) -> WebElement:
        """Return the first such element that is seen, as soon as there is one."""
        seen = WebDriverWait(self._driver, 20, ignored_exceptions=[StaleElementReferenceException]).until(
            lambda one: [found for found in one.find_elements(By.CSS_SELECTOR, selector) if found.is_displayed()]
        )
        return seen[0]

    def point(self, selector: str, x: float = 0.5, y: float = 0.5, milliseconds: int = 500) -> WebElement:
        """Move the pointer to a place in an element, in shares of its size, and take frames of it."""
        element = self.find(selector)
        box = self._driver.execute_script("return arguments[0].getBoundingClientRect().toJSON()", element)
        to = (round(box["left"] + x * box["width"]), round(box["top"] + y * box["height"]))
        off = (round((x - 0.5) * box["width"]), round((y - 0.5) * box["height"]))
        begun = self._at
        for step in (0.35, 0.7):
            self._at = tuple(round(one + step * (other - one)) for one, other in zip(begun, to, strict=True))  # type: ignore[assignment]
            self.frame(60)
        self._at = to
        ActionChains(self._driver).move_to_element_with_offset(element, *off).perform()
        self.frame(milliseconds)
        return element

    def click(self, selector: str) -> None:
        """Point at an element and click it."""
        self.point(selector, milliseconds=250).click()
        time.sleep(0.4)

    def save(self, out: Path) -> None:
        """Write the clip with the best quality within MOST_BYTES."""
        first, *others = self.frames
        for quality in range(80, 20, -10):
            first.save(
                out,
                "WEBP",
                save_all=True,
                append_images=others,
                duration=self.durations,
                loop=0,
                quality=quality,
                method=4,
            )
            if out.stat().st_size <= MOST_BYTES:
                return


def type_a_search(clip: Clip) -> None:
    """Type words; hits come meanwhile."""
    clip.point(FIELD, x=0.3).click()
    for at, letter in enumerate(WORDS):
        clip.find(FIELD).send_keys(letter)
        time.sleep(0.5 if letter == " " or at == len(WORDS) - 1 else 0.02)
        clip.frame(110)
    time.sleep(0.5)
    clip.frame(1500)


def look_at_words(clip: Clip) -> None:
    """Open the first hit, and point at words of its caption."""
    clip.click(".hit > a")
    clip.find("#viewer h1")
    clip.frame(500)
    clip.click("[data-do=seen]")
    for number in (1, 4):
        clip.point(f"#caption button[data-word='{number}']", milliseconds=1300)


def search_a_part(clip: Clip, driver: WebDriver) -> None:
    """Drag a box over the picture and search for what is in it."""
    clip.click(".about [data-do=part]")
    chooser = clip.point(".chooser", 0.2, 0.3, 200)
    ActionChains(driver).click_and_hold().perform()
    for share in (0.4, 0.6, 0.8):
        box = chooser.size
        ActionChains(driver).move_to_element_with_offset(
            chooser, round((share - 0.5) * box["width"]), round((share - 0.45) * box["height"])
        ).perform()
        clip.frame(150)
    ActionChains(driver).release().perform()
    clip.frame(400)
    clip.click(".chooser .main")
    time.sleep(0.8)
    clip.frame(1500)


def steer(clip: Clip) -> None:
    """More like one hit, less like another."""
    clip.click(".hit:nth-of-type(2) .steer a")
    time.sleep(0.6)
    clip.frame(1300)
    clip.click(".hit:last-of-type .steer a + a")
    time.sleep(0.6)
    clip.frame(2200)


def main(out: Path) -> None:
    """Write the clip."""
    with tempfile.TemporaryDirectory(prefix="retroflex") as folder, site(Path(folder)) as at, browser() as driver:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(at)
        clip = Clip(driver)
        clip.frame(700)
        type_a_search(clip)
        look_at_words(clip)
        search_a_part(clip, driver)
        steer(clip)
        clip.save(out)
        print(f"{out}: {len(clip.frames)} frames, {sum(clip.durations) / 1000:.0f} s, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
