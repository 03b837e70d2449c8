"""The learnt whitening makes copies agree and keeps pictures apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from captioner.arithmetic import unit
from captioner.encoders.vgg16 import KerasVGG16, VGG16Config
from data.decoding.pool import read_square
from tests.conftest import COLOURS, draw_picture, random_vgg16
from training.relevance import kinds, whitening
from training.relevance.whitening import (
    learn_poolings,
    neighbour_differences,
    whiten,
    whiten_by_neighbours,
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_is_the_formula(random: np.random.Generator) -> None:
    pictures, kinds = random.normal(size=(200, 6)), [random.normal(size=(50, 6)), random.normal(size=(80, 6))]
    pooling = whiten(pictures, kinds)
    within = sum(np.mean([np.outer(one, one) for one in kind], axis=0) for kind in kinds) / 2
    within += whitening.SHRINKAGE * np.diag(within).mean() * np.eye(6)
    np.testing.assert_allclose(pooling.projection.T @ within @ pooling.projection, np.eye(6), atol=1e-5)
    variances = np.cov((pictures - pooling.centre) @ pooling.projection, rowvar=False)
    np.testing.assert_allclose(variances, np.diag(np.diag(variances)), atol=1e-5)
    assert (np.diff(np.diag(variances)) <= 1e-6).all()


def test_copies_are_found_behind_loud_nuisance(random: np.random.Generator) -> None:
    pictures = random.normal(size=(500, 16))
    noise = np.zeros((500, 16))
    noise[:, :3] = 4 * random.normal(size=(500, 3))
    pooling = whiten(pictures[:400], [noise[:400]], shrinkage=0.1)
    new, copies = pictures[400:], pictures[400:] + noise[400:]
    found = (pooling.project(copies) @ pooling.project(new).T).argmax(axis=1) == np.arange(100)
    before = (unit(copies) @ unit(new).T).argmax(axis=1) == np.arange(100)
    assert found.mean() > 0.9
    assert before.mean() < 0.5


def test_keeps_so_many_dimensions_at_most(random: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "DIMENSIONS", 3)
    assert whiten(random.normal(size=(20, 6)), [random.normal(size=(20, 6))]).projection.shape == (6, 3)


def test_channels_that_are_equal_or_dead_do_no_harm(random: np.random.Generator) -> None:
    half = random.normal(size=(30, 4))
    pictures = np.concatenate([half, half, np.zeros((30, 1))], axis=1)
    pooling = whiten(pictures, [0.1 * pictures[::-1]])
    assert np.isfinite(pooling.project(pictures)).all()


@pytest.mark.parametrize("views", [1, 2])
def test_is_learnt_from_pictures_and_grids(views: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "COPIED", 6)
    files = [draw_picture(tmp_path / f"{number}.png", list(COLOURS)[number % 4], seed=number) for number in range(6)]
    encoder = KerasVGG16(VGG16Config(32, "block5_conv3"), random_vgg16(), "float32")
    squares = np.stack([read_square(path, 32) for path in files])
    grids = np.stack([encoder.encode(view).grids for view in (squares, squares[:, :, ::-1])], axis=1).astype(np.float16)
    files[2].write_text("lost since it was encoded")
    pooling = learn_poolings(encoder, grids[:, :views], files, seed=0).copies
    assert pooling.projection.shape == (512, 256)
    again = learn_poolings(encoder, grids[:, :views], files, seed=0).copies
    np.testing.assert_allclose(again.centre, pooling.centre)
    vectors = pooling(grids[:, 0].astype(np.float32))
    mirrored = pooling(grids[:, 1].astype(np.float32))
    assert ((mirrored @ vectors.T).argmax(axis=1) == np.arange(6)).all()


def test_neighbours_are_mutual(random: np.random.Generator) -> None:
    pictures = unit(random.normal(size=(40, 6)))
    cosines = pictures @ pictures.T - 9 * np.eye(40)
    near = [set(np.argsort(-row)[:3]) for row in cosines]
    pairs = [
        (one, other) for one in range(40) for other in range(one + 1, 40) if other in near[one] and one in near[other]
    ]
    expected = np.array([pictures[one] - pictures[other] for one, other in sorted(pairs)])
    np.testing.assert_allclose(neighbour_differences(pictures, 3, pictures), expected)


def test_neighbours_teach_which_directions_tell_kinds_apart(random: np.random.Generator) -> None:
    kinds = np.repeat(np.arange(20), 20)
    pictures = np.concatenate([2 * random.normal(size=(20, 8))[kinds], random.normal(size=(400, 24))], axis=1)
    vectors = whiten_by_neighbours(pictures, [0.1 * random.normal(size=(50, 32))]).project(pictures)

    def precision(vectors: np.ndarray) -> float:
        nearest = np.argsort(-(vectors @ vectors.T) + 9 * np.eye(400))[:, :10]
        return float(np.mean(kinds[nearest] == kinds[:, None]))

    assert precision(vectors) > precision(unit(pictures - pictures.mean(axis=0))) + 0.05
    assert precision(vectors) > 0.9


def test_copies_count_beside_neighbours(random: np.random.Generator) -> None:
    pictures, loud = random.normal(size=(300, 12)), np.zeros((60, 12))
    loud[:, 0] = random.normal(size=60)
    moved = pictures[:60] + 2 * loud
    found = []
    for copies in ([], [loud]):
        pooling = whiten_by_neighbours(pictures, copies)
        found.append(np.mean((pooling.project(moved) * pooling.project(pictures[:60])).sum(axis=1)))
    assert found[1] > found[0] + 0.05


@pytest.mark.parametrize("enough", [6, 7])
def test_a_crowd_teaches_if_it_is_large(enough: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "ENOUGH", enough)
    monkeypatch.setattr(kinds, "KINDS", 3)
    files = [draw_picture(tmp_path / f"{number}.png", list(COLOURS)[number % 4], seed=number) for number in range(6)]
    encoder = KerasVGG16(VGG16Config(32, "block5_conv3"), random_vgg16(), "float32")
    grids = encoder.encode(np.stack([read_square(path, 32) for path in files])).grids[:, None].astype(np.float16)
    without, taught = (learn_poolings(encoder, grids, files, 0, crowd) for crowd in (None, tmp_path))
    assert taught.copies.projection.shape == (512, 256)
    assert np.allclose(without.copies.projection, taught.copies.projection) == (enough == 7)
    assert without.alike is None
    assert (taught.alike is None) == (enough == 7)
