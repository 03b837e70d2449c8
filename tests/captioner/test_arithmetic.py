"""Products in bfloat16 are as close to exact ones as eight bits allow, also in the decoder and the embedding."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.arithmetic import Arithmetic, BFloat16, Exact, centred, inverse_deviation
from captioner.decoder import Decoder, DecoderConfig, State
from captioner.embedding import PictureEmbedder
from captioner.vocabulary import Vocabulary
from tests.conftest import WORDS, random_decoder, random_embedding

ROUNDING = 2.0**-9
"""The most that rounding to bfloat16 changes a number, relatively."""


@pytest.fixture(params=["2-D", "3-D"])
def factors(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    several = (3,) if request.param == "3-D" else ()
    rows, matrices = random.normal(size=(*several, 5, 40)), random.normal(size=(*several, 40, 7))
    return rows.astype(np.float32), matrices.astype(np.float32)


@pytest.mark.parametrize("arithmetic", [Exact(), BFloat16()], ids=["exact", "bfloat16"])
def test_products_of_small_whole_numbers_are_exact(
    arithmetic: Arithmetic, factors: tuple[np.ndarray, np.ndarray]
) -> None:
    rows, matrices = (np.round(one) for one in factors)
    expected = rows @ matrices
    assert np.abs(expected).max() < 256
    for given, transposed in ((matrices, False), (matrices.swapaxes(-1, -2), True)):
        found = arithmetic.matmul(rows, arithmetic.prepare(given), transposed)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_bfloat16_rounds_both_factors_and_the_product(factors: tuple[np.ndarray, np.ndarray]) -> None:
    rows, matrices = factors
    bfloat16 = BFloat16()
    error = np.abs(bfloat16.matmul(rows, bfloat16.prepare(matrices)) - rows @ matrices)
    bound = (2 * ROUNDING + ROUNDING**2) * (np.abs(rows) @ np.abs(matrices)) + ROUNDING * np.abs(rows @ matrices)
    assert error.max() > 0
    assert (error <= 1.01 * bound).all()


def test_a_decoder_in_bfloat16_sees_and_says_nearly_the_same() -> None:
    config = DecoderConfig(vocabulary=60, grid_channels=24, embedding=16, units=32, attention=16)
    weights = random_decoder(config, spread=0.2)
    random = np.random.default_rng(1)
    grids = random.normal(size=(6, 9, 24)).astype(np.float32)
    words = random.integers(4, 60, (5, 12))
    exact, close = Decoder(config, weights), Decoder(config, weights, BFloat16())
    (prepared, state), (near, near_state) = exact.prepare(grids), close.prepare(grids)
    np.testing.assert_allclose(near.cells, prepared.cells, atol=0.05)
    state, near_state = (State(*(np.repeat(part, 2, axis=0) for part in one)) for one in (state, near_state))
    for fed in words:
        scores, state = exact.step(prepared, state, fed)
        near_scores, near_state = close.step(near, near_state, fed)
        np.testing.assert_allclose(near_scores, scores, atol=0.15)
        np.testing.assert_allclose(near_state.hidden, state.hidden, atol=0.03)


def test_a_pictures_vector_in_bfloat16_is_nearly_the_same() -> None:
    embedding = random_embedding(Vocabulary(WORDS))
    grids = np.maximum(np.random.default_rng(2).normal(size=(10, 9, 512)), 0).astype(np.float32)
    exact = PictureEmbedder(embedding.config, embedding.weights).embed(grids)
    close = PictureEmbedder(embedding.config, embedding.weights, BFloat16()).embed(grids)
    assert np.sum(exact * close, axis=1).min() > 0.999


def test_equals_keras_layer_normalisation_then_a_product() -> None:
    import keras

    random = np.random.default_rng(0)
    x, kernel = random.normal(3, 2, (20, 12)).astype(np.float32), random.normal(size=(12, 5)).astype(np.float32)
    expected = np.asarray(keras.layers.LayerNormalization(epsilon=1e-3)(x)) @ kernel
    np.testing.assert_allclose(x @ centred(kernel) * inverse_deviation(x), expected, atol=1e-5)
