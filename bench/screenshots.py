"""Screenshots for the docs, made from the sample gallery: `python -m bench.screenshots OUT`.

Needs the demo and dev extras and Debian's packages chromium and chromium-driver; takes about a minute.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from captioner.captioner import Captioner
from data.samples import copy_samples
from data.settings import load_settings
from retrieval.library import Library
from webui.app import create_app
from webui.serving.server import Server, address, bind

MOST_BYTES = 120_000
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-prefers-reduced-motion")


class Shot(NamedTuple):
    """A screenshot: name, address, size in pixels, colour scheme, and the element to click first."""

    name: str
    path: str
    width: int = 1440
    height: int = 900
    scheme: str = "light"
    click: str | None = None


SHOTS = (
    Shot("results", "?q=a+man+on+a+motorcycle&all=true"),
    Shot("why", "?q=a+man+standing+in+front+of+a+building&all=true&why=true", scheme="dark"),
    Shot("picture", "?q=a+man+on+a+motorcycle&all=true", click=".hit > a"),
    Shot("library", "library", height=700),
    Shot("duplicates", "duplicates", height=760),
    Shot("phone", "?q=a+man+on+a+motorcycle&all=true", 390, 780),
)


def gallery(folder: Path) -> None:
    """Copy the sample photographs, and smaller and cropped copies of some of them."""
    copy_samples(folder / "photographs")
    copies = folder / "copies"
    copies.mkdir()
    for name in ("china.jpg", "flower.jpg", "rocket.jpg"):
        shutil.copyfile(folder / "photographs" / name, copies / name)
        with Image.open(folder / "photographs" / name) as photograph:
            photograph.reduce(2).save(copies / f"small {name}", quality=80)


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """Serve the indexed gallery; yield the address."""
    gallery(folder / "pictures")
    index = [sys.executable, "-m", "retrieval.cli", "index", "--library", folder / "library"]
    subprocess.run([*index, folder / "pictures" / "photographs", folder / "pictures" / "copies"], check=True)
    settings = load_settings(library=folder / "library")
    with closing(Library.open(settings)) as library:
        app = create_app(library, lambda: Captioner.load(settings.bundle), roots=[folder])
        server = Server(app, bind("127.0.0.1", 0))
        threading.Thread(target=server.run, daemon=True).start()
        yield address(server.socket)
        server.stop()


@contextmanager
def browser() -> Iterator[WebDriver]:
    """Run Debian's Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def take(driver: WebDriver, site_address: str, shot: Shot) -> Image.Image:
    """Open a page and return a screenshot once its pictures are loaded."""
    size = {"width": shot.width, "height": shot.height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": shot.scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    driver.get(site_address + shot.path)
    if shot.click:
        driver.find_element(By.CSS_SELECTOR, shot.click).click()
        WebDriverWait(driver, 20).until(lambda one: one.find_elements(By.CSS_SELECTOR, "#viewer h1"))
    loaded = "return [...document.images].every((one) => one.complete || one.getBoundingClientRect().top > innerHeight)"
    WebDriverWait(driver, 20).until(lambda one: one.execute_script(loaded))
    return Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")


def save(image: Image.Image, path: Path) -> None:
    """Save the image as WebP with the best quality within MOST_BYTES."""
    for quality in range(90, 30, -5):
        image.save(path, "WEBP", quality=quality, method=6)
        if path.stat().st_size <= MOST_BYTES:
            return


def main(out: Path) -> None:
    """Write all screenshots to the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="retroflex") as folder, site(Path(folder)) as at, browser() as driver:
        for shot in SHOTS:
            save(take(driver, at, shot), out / f"{shot.name}.webp")
            print(f"{out / shot.name}.webp")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
