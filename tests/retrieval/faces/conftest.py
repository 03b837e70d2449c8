"""A library with drawn people, whose faces a stand-in finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captioner.encoders.base import Features
from data.limits import DEFAULT_LIMITS
from data.records import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, content_hash
from data.store import Store
from retrieval.faces.indexing import CropEncoder, FaceReport, Progress, find_faces
from tests.drawn_faces import DrawnFinder, draw_people

DRAWN = {
    "anna": {"anna": (20, 20, 60, 60)},
    "both": {"anna": (10, 10, 20, 20), "ben": (40, 10, 80, 50)},
    "ben": {"ben": (30, 30, 50, 50)},
    "sea": {},
}


class MeanColour:
    """Describes squares of four pixels a side by their mean colour."""

    model_version, input_side = "mean-1", 4

    def encode(self, pictures: np.ndarray) -> Features:
        means = pictures.reshape(len(pictures), -1, 3).mean(axis=1).astype(np.float32) + 1
        return Features(means / np.linalg.norm(means, axis=1, keepdims=True))


ON_CROP = CropEncoder("vgg16", MeanColour())  # type: ignore[arg-type]


def add_file(store: Store, path: Path, caption: str = "a person") -> str:
    content = path.read_bytes()
    digest = content_hash(content)
    vector = np.eye(4, dtype=np.float32)[0]
    store.write_batch(
        Batch(
            files=[FileRow(str(path).encode(), len(content), 1, digest)],
            pictures=[PictureRow(digest, 100, 80, "PNG", len(content), None)],
            descriptions=[DescriptionRow(digest, "model-1", [CaptionRow(caption, -1.0)], {"vgg16": vector})],
        )
    )
    return digest


def find(store: Store, finder: DrawnFinder | None = None, progress: Progress = lambda done, total: None) -> FaceReport:
    made = finder or DrawnFinder()
    return find_faces(store, made.model_version, lambda: made, ON_CROP, DEFAULT_LIMITS, progress)


@pytest.fixture
def drawn(store: Store, tmp_path: Path) -> dict[str, Path]:
    """Pictures of people in the library, beside those of its gallery; their faces are not found yet."""
    folder = tmp_path / "people"
    folder.mkdir()
    paths = {name: draw_people(folder / f"{name}.png", boxes) for name, boxes in DRAWN.items()}
    store.remove([b"/photos"])
    for name, path in paths.items():
        add_file(store, path, f"a person called {name}")
    return paths
