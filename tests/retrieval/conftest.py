"""A small library with known captions and vectors, and a quick way to fill a store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from captioner.calibration import Calibration
from captioner.types import JOINT, SearchModel
from data.records import content_hash
from data.settings import load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, Store
from retrieval.library import Library

DIMENSIONS = 4
GALLERY = {
    "beach": (["a dog runs on the beach", "a brown dog on sand"], [1.0, 0.1, 0.0, 0.0]),
    "park": (["a dog in the park", "two dogs play on grass"], [0.9, 0.3, 0.0, 0.1]),
    "boat": (["a red boat on the water", "a boat at sea"], [0.0, 1.0, 0.2, 0.0]),
    "street": (["a man crosses the street", "people in a city"], [0.0, 0.0, 1.0, 0.3]),
    "twin": (["a man crosses the street", "people in a city"], [0.0, 0.0, 1.0, 0.3]),
}
"""Name of the picture -> its captions and its vector; the ids are 1, 2, ... in this order."""
SENSES = {"dog": [1.0, 0, 0], "puppy": [1.0, 0, 0], "boat": [0, 1.0, 0], "ship": [0, 1.0, 0], "the": [0, 0, 0.1]}
"""What a stand-in for a text encoder knows; a picture's embedding is the first three numbers of its vector."""


class Senses:
    """Embeds the sum of the words it knows."""

    words = tuple(SENSES)

    def embed(self, tokens: Sequence[str]) -> np.ndarray | None:
        known = [SENSES[token] for token in tokens if token in SENSES]
        total = np.sum(known, axis=0).astype(np.float32) if known else None
        return None if total is None else total / np.linalg.norm(total)

    def synonyms(self, word: str) -> list[str]:
        return []

    def known_share(self, tokens: Sequence[str]) -> float:
        return sum(token in SENSES for token in tokens) / len(tokens)


CALIBRATION = Calibration(words={"bias": -7.0, "bleu": 1.0, "cosine": 10.0})
MODEL = SearchModel("model-1", "vgg16", CALIBRATION, Senses())  # type: ignore[arg-type]

Add = Callable[..., None]


def add_picture(
    store: Store,
    name: str,
    captions: Sequence[str],
    vector: Sequence[float],
    model: str = "model-1",
    further: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write one picture to the store under the path /photos/NAME.jpg, with `further` vectors by kind."""
    digest = content_hash(name.encode())
    rows = [CaptionRow(text, -1.0 - rank) for rank, text in enumerate(captions)]
    unit = np.array(vector, np.float32) / np.linalg.norm(vector)
    store.write_batch(
        Batch(
            files=[FileRow(f"/photos/{name}.jpg".encode(), 1, 1, digest)],
            pictures=[PictureRow(digest, 50, 40, "JPEG", 1, None)],
            descriptions=[DescriptionRow(digest, model, rows, {"vgg16": unit, JOINT: unit[:3], **(further or {})})],
        )
    )


@pytest.fixture
def add() -> Add:
    return add_picture


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a library of the gallery; to make it takes far longer than to copy it."""
    folder = tmp_path_factory.mktemp("made_once") / "library"
    with closing(Library.open(load_settings(library=folder), create=True)) as opened:
        for name, (captions, vector) in GALLERY.items():
            add_picture(opened.store, name, captions, vector)
    return folder


@pytest.fixture
def library(tmp_path: Path, made_once: Path) -> Iterator[Library]:
    shutil.copytree(made_once, tmp_path / "library")
    opened = Library.open(load_settings(library=tmp_path / "library"))
    yield opened
    opened.close()


@pytest.fixture
def store(library: Library) -> Store:
    return library.store
