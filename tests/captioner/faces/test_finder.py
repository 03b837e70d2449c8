"""The face finder that ships, on the photographs of faces that installed libraries have."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from captioner.faces import detector, finder
from captioner.faces.calibration import is_same_person, likelihood
from captioner.faces.finder import TURNS, ShippedFinder, brightened, turned, turned_back
from data.errors import RetroflexError
from data.faces.records import Box
from tests.drawn_faces import photographs, real_faces


@pytest.fixture(scope="module")
def shipped() -> ShippedFinder:
    return ShippedFinder()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    paths = photographs(tmp_path_factory.mktemp("photographs"))
    return {name: np.asarray(Image.open(path)) for name, path in paths.items()}


@real_faces
def test_faces_are_found_where_they_are_and_told_apart(shipped: ShippedFinder, pictures: dict[str, np.ndarray]) -> None:
    (astronaut,) = shipped.find(pictures["astronaut"])
    (small,) = shipped.find(pictures["small"])
    (admiral,) = shipped.find(pictures["admiral"])
    left, right = shipped.find(pictures["both"])
    assert astronaut.box.overlap(Box(0.36, 0.12, 0.52, 0.33)) > 0.7
    mirrored = Box(1 - small.box.right, small.box.top, 1 - small.box.left, small.box.bottom)
    assert mirrored.overlap(astronaut.box) > 0.7
    vectors = np.array([one.vector for one in (astronaut, small, left, admiral, right)])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    same = is_same_person(vectors @ vectors.T)
    assert same.tolist() == [[True] * 3 + [False] * 2] * 3 + [[False] * 3 + [True] * 2] * 2
    height, width = pictures["astronaut"].shape[:2]
    expected = (astronaut.box.bottom - astronaut.box.top) * height, (astronaut.box.right - astronaut.box.left) * width
    assert astronaut.crop.shape[:2] == pytest.approx(expected, abs=2)


@real_faces
@pytest.mark.parametrize("size", [(1, 1), (19, 400), (30, 30), (24, 500), (300, 200)])
def test_no_face_is_found_where_there_is_none(shipped: ShippedFinder, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    assert shipped.find(noise) == []
    assert shipped.find(np.zeros((*size, 3), np.uint8)) == []


@real_faces
def test_other_weights_than_the_tested_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(detector.WEIGHTS, "rnet.lz4", "0" * 64)
    with pytest.raises(RetroflexError, match=r"rnet.lz4 is not that of mtcnn 1.0.0: pip install mtcnn==1.0.0"):
        ShippedFinder()


def test_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "find_spec", lambda name: None)
    with pytest.raises(RetroflexError) as refused:
        ShippedFinder()
    assert str(refused.value) == "faces need mtcnn, dlib-bin, face-recognition-models: pip install '.[faces]'"


def test_the_likelihood_of_one_person_rises_with_the_cosine() -> None:
    rising = likelihood(np.linspace(-1, 1, 50))
    assert (np.diff(rising) > 0).all()
    assert 0 <= rising[0] < 0.01 < 0.97 < rising[-1] <= 1


@real_faces
def test_a_face_in_a_dark_picture_is_found_and_is_that_of_the_person(
    shipped: ShippedFinder, pictures: dict[str, np.ndarray]
) -> None:
    (astronaut,) = shipped.find(pictures["astronaut"])
    (dark,) = shipped.find(pictures["astronaut"] // 10)
    assert dark.box.overlap(astronaut.box) > 0.7
    assert is_same_person(astronaut.vector[None] @ dark.vector).all()


def test_only_dark_pictures_are_made_brighter() -> None:
    rising = np.linspace(0, 255, 192).astype(np.uint8).reshape(8, 8, 3)
    assert brightened(rising) is rising
    dark = brightened(rising // 5)
    assert dark.max() >= 250
    assert (np.diff(dark.reshape(-1).astype(int)) >= 0).all()
    assert brightened(rising // 64).max() <= 3


@real_faces
@pytest.mark.parametrize("by", [45, 90, 180])
def test_a_tilted_or_lying_face_is_found_and_is_that_of_the_person(
    shipped: ShippedFinder, pictures: dict[str, np.ndarray], by: int
) -> None:
    (astronaut,) = shipped.find(pictures["astronaut"])
    picture = turned(Image.fromarray(pictures["astronaut"]), by)
    (found,) = shipped.find(picture)
    assert is_same_person(astronaut.vector[None] @ found.vector).all()
    back = turned_back(found.box, by, picture.shape, pictures["astronaut"].shape)
    assert back.overlap(astronaut.box) > 0.6


@pytest.mark.parametrize("by", TURNS)
def test_a_box_is_where_it_was_before_the_picture_was_turned(by: int) -> None:
    drawn = Image.new("RGB", (300, 200))
    drawn.paste((255, 255, 255), (60, 20, 100, 60))
    picture = turned(drawn, by)
    rows, columns = np.nonzero(picture.min(axis=2) > 200)
    height, width = picture.shape[:2]
    edges = columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height
    found = turned_back(Box(*edges), by, picture.shape, (200, 300))
    assert found.overlap(Box(60 / 300, 20 / 200, 100 / 300, 60 / 200)) > (0.45 if by in (45, -45) else 0.9)
    assert ((found.left + found.right) / 2, (found.top + found.bottom) / 2) == pytest.approx((80 / 300, 0.2), abs=0.01)
