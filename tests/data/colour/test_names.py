"""Pictures' colours by name."""

from __future__ import annotations

import numpy as np
import pytest

from data.colour.names import NAMES, colours_of, lab, mostly, names_of


def plain(*colour: int, side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), colour, np.uint8)


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ((220, 20, 30), "red"),
        ((255, 140, 0), "orange"),
        ((250, 220, 40), "yellow"),
        ((60, 120, 50), "green"),
        ((100, 160, 230), "blue"),
        ((15, 25, 80), "blue"),
        ((120, 50, 160), "purple"),
        ((250, 150, 190), "pink"),
        ((110, 70, 40), "brown"),
        ((250, 250, 248), "white"),
        ((130, 130, 135), "grey"),
        ((15, 15, 15), "black"),
    ],
)
def test_a_plain_picture_has_its_colour(colour: tuple[int, int, int], name: str) -> None:
    for side in (8, 64, 224):
        assert names_of(mostly(plain(*colour, side=side))) == [name]


def test_a_little_of_a_vivid_colour_counts_but_not_of_a_plain_one() -> None:
    picture = plain(255, 255, 255, side=100)
    picture[:10, :] = (220, 20, 30)
    picture[10:25] = (130, 130, 130)
    assert names_of(mostly(picture)) == ["red", "white"]
    picture[10:40] = (130, 130, 130)
    assert names_of(mostly(picture)) == ["red", "white", "grey"]


def test_no_picture_is_without_a_colour() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    assert mostly(noise) > 0


def test_sets_of_names() -> None:
    assert names_of(colours_of(["blue", "red"])) == ["red", "blue"]
    assert colours_of(NAMES) == 2 ** len(NAMES) - 1
    with pytest.raises(ValueError, match="not in tuple"):
        colours_of(["mauve"])


def test_cielab_is_that_of_scikit_image() -> None:
    color = pytest.importorskip("skimage.color")
    pixels = np.random.default_rng(4).integers(0, 256, (500, 3), np.uint8)
    np.testing.assert_allclose(lab(pixels), color.rgb2lab(pixels[None])[0], atol=0.01)
