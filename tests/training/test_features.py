"""Cached features: the crops of a picture, and that a stopped run resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captioner.encoders.base import Features
from captioner.encoders.vgg16 import VGG16Config
from captioner.pipeline import BATCH
from data.captioned import CaptionedPicture
from tests.conftest import draw_picture
from training.features import ASPECT, cache_features, cut, draw_box

SIDE = 32
PICTURES = BATCH + 3


class Eye:
    """Sees of a picture its pixels, as many as a grid has numbers; one that `stops` is blind to less than a batch."""

    config = VGG16Config(side=SIDE, layer="block5_conv3")

    def __init__(self, stops: bool = False) -> None:
        self.stops, self.batches = stops, 0

    def encode(self, pictures: np.ndarray) -> Features:
        if self.stops and len(pictures) < BATCH:
            raise KeyboardInterrupt
        self.batches += 1
        grids = pictures.reshape(len(pictures), -1)[:, : 4 * 512].reshape(-1, 4, 512)
        return Features(np.zeros((len(pictures), 1), np.float32), grids.astype(np.float32))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[CaptionedPicture]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = [draw_picture(folder / f"{number}.png", "blue", (48, 48), number) for number in range(PICTURES - 1)]
    (folder / "broken.png").write_text("broken")
    return [CaptionedPicture(path.name, path, ("a",)) for path in [*paths[:5], folder / "broken.png", *paths[5:]]]


def test_crops_are_the_picture_its_mirror_image_and_random_ones(
    pictures: list[CaptionedPicture], tmp_path: Path
) -> None:
    cache = cache_features(Eye(), Eye.config, "key", pictures, tmp_path, crops=4)  # type: ignore[arg-type]
    assert cache.grids.shape == (PICTURES, 4, 4, 512)
    assert np.flatnonzero(~cache.usable).tolist() == [5]
    assert "broken.png" in cache.problems[0]
    seen = cache.grids.reshape(PICTURES, 4, -1)[:, :, : 21 * SIDE * 3].reshape(PICTURES, 4, 21, SIDE, 3)
    np.testing.assert_array_equal(seen[:, 1], seen[:, 0, :, ::-1])
    for one, other in ((0, 2), (1, 2), (2, 3)):
        assert not np.array_equal(seen[0, one], seen[0, other])


def test_a_stopped_run_resumes_with_the_same_crops(pictures: list[CaptionedPicture], tmp_path: Path) -> None:
    whole = cache_features(Eye(), Eye.config, "key", pictures, tmp_path / "whole", crops=3)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        cache_features(Eye(stops=True), Eye.config, "key", pictures, tmp_path / "run", crops=3)  # type: ignore[arg-type]
    again = Eye()
    resumed = cache_features(again, Eye.config, "key", pictures, tmp_path / "run", crops=3)  # type: ignore[arg-type]
    assert again.batches == 1
    np.testing.assert_array_equal(resumed.grids, whole.grids)
    assert resumed.problems == whole.problems


SHARE = (0.35, 1.0)


def test_boxes_lie_within_and_have_the_given_shapes() -> None:
    random = np.random.default_rng(0)
    left, top, right, bottom = np.array([draw_box(random, 160, SHARE) for _ in range(5000)]).T
    width, height = right - left, bottom - top
    assert min(left.min(), top.min()) >= 0
    assert max(right.max(), bottom.max()) <= 160 + 1e-9
    area, aspect = width * height / 160**2, width / height
    assert area.max() <= SHARE[1] + 1e-9
    assert area.min() < SHARE[0] + 0.05
    assert ASPECT[0] - 1e-9 <= aspect.min() < 0.8
    assert 1.25 < aspect.max() <= ASPECT[1] + 1e-9


def test_boxes_that_fit_have_the_given_share() -> None:
    random = np.random.default_rng(1)
    for _ in range(100):
        left, top, right, bottom = draw_box(random, 160, (0.5, 0.5))
        np.testing.assert_allclose((right - left) * (bottom - top), 0.5 * 160**2)


def test_cutting_takes_the_box_and_resizes_it() -> None:
    pixels = np.zeros((160, 160, 3), np.uint8)
    pixels[40:80, 80:160] = (10, 200, 30)
    piece = cut(pixels, (80, 40, 160, 80), 32)
    assert piece.shape == (32, 32, 3)
    assert piece.dtype == np.uint8
    # The resampling filter reaches over the edge of the box.
    assert np.abs(piece[2:-2, 2:-2].astype(int) - (10, 200, 30)).max() <= 1


def test_a_full_crop_at_full_size_is_the_photograph() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    assert np.array_equal(cut(pixels, (0, 0, 48, 48), 48), pixels)
