"""The autoencoder's encoder: files of weights that are refused, and vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from captioner.encoders.autoencoder import LATENT, SIDE, Autoencoder, _convolve, shapes
from captioner.encoders.registry import build_further, family, what_is_missing
from captioner.encoders.weights import kept_file
from data.errors import RetroflexError


def random_weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes().items()}


def test_a_convolution_is_a_sum_of_products() -> None:
    random = np.random.default_rng(1)
    x, kernel = random.normal(size=(2, 6, 4, 3)), random.normal(size=(3, 3, 3, 5))
    padded = np.zeros((2, 7, 5, 3))
    padded[:, :6, :4] = x
    expected = np.zeros((2, 3, 2, 5))
    for row in range(3):
        for column in range(2):
            patch = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            expected[:, row, column] = [(one[..., None] * kernel).sum(axis=(0, 1, 2)) for one in patch]
    np.testing.assert_allclose(_convolve(x, kernel), expected, atol=1e-12)


def test_vectors_come_of_a_file(tmp_path: Path) -> None:
    save_file(random_weights(), tmp_path / "vae.safetensors")
    encoder = build_further("vae", tmp_path / "vae.safetensors")
    pictures = np.random.default_rng(2).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    vectors = encoder.encode(pictures).vectors
    assert vectors.shape == (3, LATENT)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    means = Autoencoder(random_weights(), "").means(pictures)
    np.testing.assert_allclose(vectors, means / np.linalg.norm(means, axis=1, keepdims=True), atol=1e-6)
    assert encoder.model_version.startswith("vae-")
    assert not kept_file("vae").exists(), "it belongs to one library"


def test_without_a_training_one_line_says_what_to_do() -> None:
    assert "retroflex train features --kind vae --pictures DIR" in what_is_missing(family("vae"))
    with pytest.raises(RetroflexError, match=r"there is no autoencoder yet; .* retroflex train features"):
        build_further("vae")


def test_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "vae.safetensors"
    file.write_text("no weights")
    with pytest.raises(RetroflexError, match="cannot be read as weights"):
        build_further("vae", file)
    save_file({"conv0/kernel": np.zeros((3, 3, 3, 32), np.float32)}, file)
    with pytest.raises(RetroflexError, match="weights of another network"):
        build_further("vae", file)
