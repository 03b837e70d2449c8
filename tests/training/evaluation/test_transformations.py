"""Every transformation does what its name says, and the same again for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from training.evaluation.transformations import TRANSFORMATIONS, transformed


@pytest.fixture
def picture() -> Image.Image:
    """Smooth colours, different in every corner, 120 x 80."""
    x, y = np.meshgrid(np.linspace(0, 1, 120), np.linspace(0, 1, 80))
    return Image.fromarray((255 * np.stack([x, y, 1 - x * y], axis=-1)).astype(np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_is_seeded_changes_the_picture_and_leaves_the_original(picture: Image.Image, name: str) -> None:
    before = pixels(picture)
    first, again, other = (transformed(picture, 4, name, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(pixels(first), pixels(again))
    np.testing.assert_array_equal(pixels(picture), before)
    assert first.mode == other.mode == "RGB"
    assert first.size != picture.size or not np.array_equal(pixels(first), before)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (300, 5)])
def test_tiny_and_narrow_pictures_pass(name: str, size: tuple[int, int]) -> None:
    assert min(transformed(Image.new("RGB", size, "red"), 0, name, 0).size) >= 1


def test_crop_keeps_half_the_area(picture: Image.Image) -> None:
    crop = transformed(picture, 0, "crop", 0)
    assert crop.width * crop.height == pytest.approx(120 * 80 / 2, rel=0.02)
    assert crop.width / crop.height == pytest.approx(1.5, rel=0.02)


def test_crops_lie_anywhere(picture: Image.Image) -> None:
    corners = {transformed(picture, number, "crop", 0).getpixel((0, 0)) for number in range(20)}
    assert len(corners) > 10


def test_resize_halves_both_sides(picture: Image.Image) -> None:
    assert transformed(picture, 0, "resize", 0).size == (60, 40)


def test_jpeg_shows_the_same_roughly(picture: Image.Image) -> None:
    noise = np.abs(pixels(transformed(picture, 0, "jpeg", 0)) - pixels(picture))
    assert 0 < noise.mean() < 12


def test_flip_is_the_mirror_image(picture: Image.Image) -> None:
    np.testing.assert_array_equal(pixels(transformed(picture, 0, "flip", 0)), pixels(picture)[:, ::-1])


def test_rotation_goes_both_ways_with_black_corners(picture: Image.Image) -> None:
    turned = [transformed(picture, number, "rotate", 0) for number in range(12)]
    assert all(one.size == picture.size and one.getpixel((0, 0)) == (0, 0, 0) for one in turned)
    expected = [pixels(picture.rotate(degrees, Image.Resampling.BICUBIC)) for degrees in (10, -10)]
    found = {
        next(place for place, one in enumerate(expected) if np.array_equal(one, pixels(image))) for image in turned
    }
    assert found == {0, 1}


def test_text_covers_a_band_only(picture: Image.Image) -> None:
    changed = (pixels(transformed(picture, 0, "text", 0)) != pixels(picture)).any(axis=-1)
    assert 0.01 < changed.mean() < 0.4
    assert not changed.all(axis=1).any()


def test_grey_has_no_colour(picture: Image.Image) -> None:
    grey = pixels(transformed(picture, 0, "grey", 0))
    assert np.ptp(grey, axis=-1).max() == 0


def test_a_screenshot_holds_the_whole_picture(picture: Image.Image) -> None:
    window = transformed(picture, 0, "screenshot", 0)
    assert 1.1 * picture.width <= window.width <= 1.31 * picture.width
    assert 1.1 * picture.height <= window.height <= 1.38 * picture.height
    rows = [
        y
        for y in range(window.height)
        for x in range(window.width)
        if x < 60 and window.getpixel((x, y)) == (0, 0, 255)
    ]
    assert rows, "its upper left corner is somewhere"
