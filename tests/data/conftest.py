from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, Store

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Encode an image (60x40 by default: red left, green right, dark lower half) in a format."""

    def quarters() -> Image.Image:
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[:, :30, 0] = 255
        pixels[:20, 30:, 1] = 255
        return Image.fromarray(pixels)

    def write(picture_format: str, image: Image.Image | None = None, **options: Any) -> bytes:
        content = io.BytesIO()
        (image or quarters()).save(content, picture_format, **options)
        return content.getvalue()

    return write


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres").database())
    return f"sqlite:///{tmp_path}/library/library.sqlite3"


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty store; to make it takes far longer than to copy it."""
    file = tmp_path_factory.mktemp("made_once") / "library.sqlite3"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    file = tmp_path / "store" / "library.sqlite3"
    file.parent.mkdir()
    shutil.copy(request.getfixturevalue("made_once"), file)
    return f"sqlite:///{file}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store.open(store_url)
    yield opened
    opened.close()


@pytest.fixture
def batch_of() -> Callable[..., Batch]:
    """Make a batch of one described picture a path: the path's digest, captions of the model and a vector."""

    def make(*paths: bytes, model: str = "m1", digest: str | None = None, size: int = 10) -> Batch:
        digests = {path: digest or f"digest of {path!r}" for path in paths}
        names = list(dict.fromkeys(digests.values()))
        texts = [CaptionRow(f"best by {model}", -1.0), CaptionRow(f"second by {model}", -2.0)]
        return Batch(
            files=[FileRow(path, size, 1, digests[path]) for path in paths],
            pictures=[PictureRow(name, 60, 40, "JPEG", size, None) for name in names],
            descriptions=[DescriptionRow(name, model, texts, {"vgg16": np.full(4, 0.5, np.float32)}) for name in names],
        )

    return make
