"""Layer normalisation folded into a product equals Keras' layer before it."""

from __future__ import annotations

import numpy as np

from captioner.normalise import centred, inverse_deviation


def test_equals_keras_layer_normalisation_then_a_product() -> None:
    import keras

    random = np.random.default_rng(0)
    x, kernel = random.normal(3, 2, (20, 12)).astype(np.float32), random.normal(size=(12, 5)).astype(np.float32)
    expected = np.asarray(keras.layers.LayerNormalization(epsilon=1e-3)(x)) @ kernel
    np.testing.assert_allclose(x @ centred(kernel) * inverse_deviation(x), expected, atol=1e-5)
