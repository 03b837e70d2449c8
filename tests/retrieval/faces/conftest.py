"""A library with drawn people, whose faces a stand-in finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.records import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, content_hash
from data.store import Store
from tests.drawn_faces import draw_people

DRAWN = {
    "anna": {"anna": (20, 20, 60, 60)},
    "both": {"anna": (10, 10, 20, 20), "ben": (40, 10, 80, 50)},
    "ben": {"ben": (30, 30, 50, 50)},
    "sea": {},
}


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
