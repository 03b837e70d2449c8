"""Cached features: which views of a picture are encoded, and that a stopped run goes on where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captioner.encoders.base import Features
from captioner.encoders.vgg16 import VGG16Config
from data.captioned import CaptionedPicture
from tests.conftest import draw_picture
from training.features import BATCH, cache_features

SIDE = 32
PICTURES = BATCH + 3


class Eye:
    """Sees of a picture its pixels, as many as a grid has numbers; blind after `patience` batches."""

    config = VGG16Config(side=SIDE, layer="block5_conv3")

    def __init__(self, patience: int = 99) -> None:
        self.patience = patience

    def encode(self, pictures: np.ndarray) -> Features:
        if not self.patience:
            raise KeyboardInterrupt
        self.patience -= 1
        grids = pictures.reshape(len(pictures), -1)[:, : 4 * 512].reshape(-1, 4, 512)
        return Features(np.zeros((len(pictures), 1), np.float32), grids.astype(np.float32))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[CaptionedPicture]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [draw_picture(folder / f"{number}.png", "blue", (48, 48), number) for number in range(PICTURES - 1)]
    (folder / "broken.png").write_text("broken")
    return [CaptionedPicture(path.name, path, ("a",)) for path in [*paths[:5], folder / "broken.png", *paths[5:]]]


def test_views_are_the_picture_its_mirror_image_and_crops(pictures: list[CaptionedPicture], tmp_path: Path) -> None:
    cache = cache_features(Eye(), "key", pictures, tmp_path, views=4)  # type: ignore[arg-type]
    assert cache.grids.shape == (PICTURES, 4, 4, 512)
    assert np.flatnonzero(~cache.usable).tolist() == [5]
    assert "broken.png" in cache.problems[0]
    seen = cache.grids.reshape(PICTURES, 4, -1)[:, :, : 21 * SIDE * 3].reshape(PICTURES, 4, 21, SIDE, 3)
    np.testing.assert_array_equal(seen[:, 1], seen[:, 0, :, ::-1])
    for one, other in ((0, 2), (1, 2), (2, 3)):
        assert not np.array_equal(seen[0, one], seen[0, other])


def test_a_stopped_run_goes_on_and_sees_the_same(pictures: list[CaptionedPicture], tmp_path: Path) -> None:
    whole = cache_features(Eye(), "key", pictures, tmp_path / "whole", views=3)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        cache_features(Eye(patience=3), "key", pictures, tmp_path / "run", views=3)  # type: ignore[arg-type]
    resumed = cache_features(Eye(patience=3), "key", pictures, tmp_path / "run", views=3)  # type: ignore[arg-type]
    np.testing.assert_array_equal(resumed.grids, whole.grids)
    assert resumed.problems == whole.problems
