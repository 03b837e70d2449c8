"""One browser for all tests of the page, and a site for each file of them."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import ExifTags, Image
from selenium import webdriver
from selenium.webdriver.chrome.webdriver import WebDriver

from data.settings import load_settings
from retrieval.library import Library
from tests.webui.browser.page import Page
from tests.webui.conftest import COLOURS, UPLOAD_CAP, ColourCaptioner, add, draw, running, wait_until
from webui.app import create_app

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
)
WIDTHS = (360, 1440)
SIZES = ((120, 90), (90, 120), (100, 100), (160, 90))
FOLDERS = ("beach", "town")
PICTURES = 40
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


class Site(NamedTuple):
    """A served library of drawn pictures in two folders; `captioner` describes what is uploaded."""

    address: str
    library: Library
    photos: Path
    captioner: ColourCaptioner

    def photo(self, colour: str) -> str:
        """The path of a picture of that colour."""
        return str(next(path for path in sorted(self.photos.rglob("*")) if path.name.startswith(colour)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the tests of this folder out where there is no browser, and run them first.

    They mostly wait, so other tests should run beside them; at the end of a run one worker would wait alone.
    """
    missing = pytest.mark.skip(reason="needs Debian's packages chromium and chromium-driver")
    here = {item for item in items if Path(__file__).parent in item.path.parents}
    for item in here:
        if not (CHROMIUM and CHROMEDRIVER):
            item.add_marker(missing)
    items.sort(key=lambda item: item not in here)


def fill(library: Library, photos: Path) -> None:
    """Put pictures of three colours, four shapes and three formats into two folders, one a day since 2021."""
    for number in range(PICTURES):
        colour = list(COLOURS)[number % 3]
        picture_format = list(SUFFIXES)[number // 3 % 3]
        path = photos / FOLDERS[number % 2] / f"{colour} {number}.{SUFFIXES[picture_format]}"
        drawn = Image.open(io.BytesIO(draw(colour, SIZES[number % 4], number)))
        add(library, path, taken(drawn, picture_format, datetime(2021, 1 + number // 28, 1 + number % 28, 12)))


def taken(image: Image.Image, picture_format: str, moment: datetime) -> bytes:
    """Return the image as a camera would write it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Retina", "Retina IIIc"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"{moment:%Y:%m:%d %H:%M:%S}"
    buffer = io.BytesIO()
    image.save(buffer, picture_format, exif=exif)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    settings = load_settings(library=folder / "library", max_upload_bytes=UPLOAD_CAP)
    captioner = ColourCaptioner()
    with closing(Library.open(settings, create=True)) as library:
        fill(library, folder / "photos")
        app = create_app(library, lambda: captioner)
        wait_until(lambda: app.test_client().get("/readyz").status_code == 200)
        with running(app) as address:
            yield Site(address, library, folder / "photos", captioner)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(CHROMEDRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, chromium: WebDriver, site: Site) -> Page:
    """The browser on the start page, as a phone and as a desk has it."""
    shown = Page(chromium, site.address, request.param)
    shown.open()
    return shown
