"""Pooling equals the formula written out, and a bundle carries it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.bundle import POOLING, load_bundle, save_bundle
from captioner.captioner import Captioner
from captioner.checksums import bundle_version
from captioner.encoders.pooling import Pooling, plain_mean, root_mean_square
from captioner.errors import BundleError
from captioner.types import ALIKE


@pytest.fixture
def grids() -> np.ndarray:
    return np.maximum(np.random.default_rng(0).normal(size=(5, 9, 512)), 0).astype(np.float32)


@pytest.fixture
def pooling() -> Pooling:
    random = np.random.default_rng(1)
    return Pooling(random.uniform(0, 0.1, 512).astype(np.float32), random.normal(size=(512, 20)).astype(np.float32))


def test_root_mean_square_is_the_formula(grids: np.ndarray) -> None:
    for grid, vector in zip(grids, root_mean_square(grids), strict=True):
        expected = np.mean(grid.astype(np.float64) ** 2, axis=0) ** (1 / 2)
        np.testing.assert_allclose(vector, expected / np.sqrt(np.sum(expected**2)), rtol=1e-5, atol=1e-7)


def test_plain_mean_is_the_formula(grids: np.ndarray) -> None:
    mean = grids.astype(np.float64).mean(axis=1)
    np.testing.assert_allclose(plain_mean(grids), mean / np.linalg.norm(mean, axis=1, keepdims=True), rtol=1e-5)


def test_vectors_are_projected_and_have_length_one(grids: np.ndarray, pooling: Pooling) -> None:
    vectors = pooling(grids)
    assert vectors.dtype == np.float32
    expected = (root_mean_square(grids) - pooling.centre) @ pooling.projection
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-5)


@pytest.fixture
def with_kinds_of_things(pooling: Pooling) -> Pooling:
    random = np.random.default_rng(2)
    kinds, mixing = random.normal(size=(2, 20, 5)), random.normal(size=(30, 7))
    return replace(pooling, kinds=kinds.astype(np.float32), mixing=mixing.astype(np.float32))


def test_kinds_are_shares_whose_roots_are_mixed_in(grids: np.ndarray, with_kinds_of_things: Pooling) -> None:
    pooling = with_kinds_of_things
    assert pooling.kinds is not None
    assert pooling.mixing is not None
    for grid, vector in zip(grids, pooling(grids), strict=True):
        whitened = (root_mean_square(grid[None])[0] - pooling.centre).astype(np.float64) @ pooling.projection
        parts = [whitened / np.linalg.norm(whitened)]
        for head in pooling.kinds:
            likely = np.exp(whitened @ head)
            parts.append(np.sqrt(likely / likely.sum()))
        mixed = np.concatenate(parts) @ pooling.mixing
        np.testing.assert_allclose(vector, mixed / np.linalg.norm(mixed), rtol=1e-4, atol=1e-5)


def test_a_bundle_carries_kinds(tiny_bundle: Path, tmp_path: Path, with_kinds_of_things: Pooling) -> None:
    save_bundle(replace(load_bundle(tiny_bundle), alike=with_kinds_of_things, version=""), tmp_path / "kinds", str)
    read = load_bundle(tmp_path / "kinds").alike
    assert read is not None
    for name in ("kinds", "mixing"):
        np.testing.assert_allclose(getattr(read, name), getattr(with_kinds_of_things, name), atol=0.03)
    captioner = Captioner(load_bundle(tmp_path / "kinds"), "float32")
    pictures = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    for one, expected in zip(captioner.describe(pictures), read(captioner.encode(pictures).grids), strict=True):
        np.testing.assert_allclose(one.vectors[ALIKE], expected, atol=1e-6)


def test_the_order_of_the_cells_does_not_matter(grids: np.ndarray, pooling: Pooling) -> None:
    np.testing.assert_allclose(pooling(grids[:, ::-1]), pooling(grids), atol=1e-5)


def test_a_grid_of_zeros_gives_no_nan(pooling: Pooling, with_kinds_of_things: Pooling) -> None:
    zeros = np.zeros((1, 4, 512), np.float32)
    for pool in (plain_mean, root_mean_square, pooling, with_kinds_of_things):
        assert np.isfinite(pool(zeros)).all()


def test_a_bundle_carries_it(tiny_bundle: Path, tmp_path: Path, pooling: Pooling) -> None:
    plain = load_bundle(tiny_bundle)
    save_bundle(replace(plain, pooling=pooling, version=""), tmp_path / "pooled", lambda version: version)
    pooled = load_bundle(tmp_path / "pooled")
    assert pooled.pooling is not None
    np.testing.assert_array_equal(pooled.pooling.centre, pooling.centre)
    np.testing.assert_allclose(pooled.pooling.projection, pooling.projection, atol=0.03)
    assert pooled.version == bundle_version(tmp_path / "pooled") != plain.version
    assert (tmp_path / "pooled" / "README.md").read_text() == pooled.version


def test_the_captioner_pools_as_its_bundle_says(tiny_bundle: Path, tmp_path: Path, pooling: Pooling) -> None:
    for name, how in (("pooled", pooling), ("plain", None)):
        save_bundle(replace(load_bundle(tiny_bundle), pooling=how), tmp_path / name, str)
    pictures = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    for folder in (tmp_path / "plain", tmp_path / "pooled"):
        bundle = load_bundle(folder)
        features = Captioner(bundle, "float32").encode(pictures)
        np.testing.assert_array_equal(features.vectors, (bundle.pooling or plain_mean)(features.grids))


@pytest.mark.parametrize("harm", ["changed", "lost"])
def test_a_damaged_pooling_is_one_line(tiny_bundle: Path, tmp_path: Path, pooling: Pooling, harm: str) -> None:
    save_bundle(replace(load_bundle(tiny_bundle), pooling=pooling), tmp_path / "pooled", str)
    copy = Path(shutil.copytree(tmp_path / "pooled", tmp_path / "copy"))
    if harm == "lost":
        (copy / POOLING).unlink()
    else:
        (copy / POOLING).write_bytes((copy / POOLING).read_bytes() + b" ")
    with pytest.raises(BundleError, match=POOLING):
        load_bundle(copy)
