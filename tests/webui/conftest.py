"""A real library of drawn pictures, an application over it, and a captioner that knows colours only."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, ImageDraw

from captioner.calibration import Calibration
from captioner.types import JOINT, Caption, Description, SearchModel
from data import pictures
from data.paths import to_bytes
from data.records import content_hash
from data.settings import Settings, load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow
from retrieval.library import Library
from webui.app import create_app
from webui.serving.server import Server, address, bind

COLOURS = {
    "red": ((200, 40, 30), "a red boat on the water"),
    "green": ((40, 150, 60), "a green field under a tree"),
    "blue": ((30, 60, 200), "a blue house by the sea"),
}
UPLOAD_CAP = 300_000


class ColourCaptioner:
    """Describes a picture by its strongest colour; counts its calls."""

    model_version = "colours-1"
    input_side = 16

    def __init__(self) -> None:
        self.calls = 0

    def describe(self, pictures: np.ndarray) -> list[Description]:
        self.calls += 1
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: np.ndarray) -> Description:
        vector = picture.reshape(-1).astype(np.float32) + 1
        colour = list(COLOURS)[int(picture.reshape(-1, 3).mean(axis=0).argmax())]
        captions = [Caption(COLOURS[colour][1], -3.0), Caption(f"something {colour}", -5.0)]
        return Description(captions, {"vgg16": vector / np.linalg.norm(vector), JOINT: -np.ones(1, np.float32)})


def draw(colour: str, size: tuple[int, int] = (120, 90), seed: int = 0, picture_format: str = "PNG") -> bytes:
    """Return a picture file: a coloured ground with a few lighter discs."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", size, COLOURS[colour][0])
    pencil = ImageDraw.Draw(image)
    for x, y in random.integers(0, min(size), (4, 2)):
        pencil.ellipse((x, y, x + 14, y + 14), fill=tuple(min(255, part + 50) for part in COLOURS[colour][0]))
    buffer = io.BytesIO()
    image.save(buffer, picture_format)
    return buffer.getvalue()


def add(library: Library, path: Path, content: bytes) -> None:
    """Write the picture to disk and into the library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    captioner = ColourCaptioner()
    picture = pictures.decode(content)
    said = captioner.describe(pictures.square(picture.image, captioner.input_side)[None])[0]
    digest = content_hash(content)
    captions = [CaptionRow(caption.text, caption.logprob) for caption in said.captions]
    facts = PictureRow(digest, picture.width, picture.height, picture.format, len(content), *picture.metadata)
    library.store.write_batch(
        Batch(
            files=[FileRow(to_bytes(path), len(content), path.stat().st_mtime_ns, digest)],
            pictures=[facts],
            descriptions=[DescriptionRow(digest, captioner.model_version, captions, said.vectors)],
        )
    )


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Return once `condition` holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(library=tmp_path / "library", max_upload_bytes=UPLOAD_CAP)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of `library` and its photos, in one folder; to make them takes far longer than to copy them."""
    folder = tmp_path_factory.mktemp("made_once")
    with closing(Library.open(load_settings(library=folder / "library"), create=True)) as opened:
        for number in range(12):
            colour = list(COLOURS)[number % 3]
            suffix = ("jpg", "png", "webp")[number % 3]
            name = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[suffix]
            path = folder / "photos" / f"{colour} {number}.{suffix}"
            add(opened, path, draw(colour, seed=number, picture_format=name))
    return folder


@pytest.fixture
def library(settings: Settings, photo_folder: Path, made_once: Path) -> Iterator[Library]:
    """Four red, four green and four blue pictures, ids 1 to 12."""
    shutil.copytree(made_once / "library", settings.library)
    shutil.copytree(made_once / "photos", photo_folder)
    with closing(sqlite3.connect(settings.database)) as database, database:
        for (path,) in database.execute("SELECT path FROM files").fetchall():
            moved = os.fsencode(photo_folder / os.path.basename(os.fsdecode(path)))
            database.execute("UPDATE files SET path = ? WHERE path = ?", (moved, path))
    opened = Library.open(settings)
    yield opened
    opened.close()


class Strange:
    """Embeds every sentence far from all pictures."""

    words = ()

    def embed(self, tokens: Sequence[str]) -> np.ndarray:
        return np.ones(1, np.float32)

    def synonyms(self, word: str) -> list[str]:
        return []

    def known_share(self, tokens: Sequence[str]) -> float:
        return 1.0


@pytest.fixture
def knowing(library: Library) -> Library:
    """The library with a model of words to which none of its pictures is close."""
    calibration = Calibration(words={"bias": -6.0, "bleu": 1.0, "cosine": 10.0})
    vars(library)["model"] = SearchModel(ColourCaptioner.model_version, "vgg16", calibration, Strange())  # type: ignore[arg-type]
    return library


@pytest.fixture
def captioner() -> ColourCaptioner:
    return ColourCaptioner()


@pytest.fixture
def app(library: Library, captioner: ColourCaptioner) -> Flask:
    """The application with its captioner loaded."""
    made = create_app(library, lambda: captioner)
    client = made.test_client()
    wait_until(lambda: client.get("/readyz").status_code == 200)
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def painted() -> Callable[..., bytes]:
    """The function `draw`."""
    return draw


@pytest.fixture
def add_picture() -> Callable[[Library, Path, bytes], None]:
    """The function `add`."""
    return add


@pytest.fixture
def eventually() -> Callable[..., None]:
    """The function `wait_until`."""
    return wait_until


@contextmanager
def running(app: Flask, behind_proxy: bool = False) -> Iterator[str]:
    """The address of an application behind the real server."""
    server = Server(app, bind("127.0.0.1", 0), behind_proxy)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield address(server.socket)
    finally:
        server.stop()
        thread.join(60)


@pytest.fixture(name="address")
def _address(app: Flask) -> Iterator[str]:
    """The address of the application behind the real server."""
    with running(app) as at:
        yield at


@pytest.fixture
def serving() -> Callable[..., AbstractContextManager[str]]:
    """The function `running`."""
    return running
