"""The variational autoencoder in Keras; `captioner/encoders/autoencoder.py` runs its encoder in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from captioner.encoders.autoencoder import FILTERS, LATENT, SIDE, shapes
from captioner.frameworks import load_keras

if TYPE_CHECKING:
    import keras

RATE = 1e-3
NOISE = 0.2
"""Standard deviation of a pixel (0 to 1) around its reconstruction: the larger, the more the latent prior counts."""


def build_autoencoder(seed: int) -> keras.Model:
    """Return the compiled network from pictures (n, SIDE, SIDE, 3) in 0 to 1 to their reconstructions.

    The loss is the negative evidence lower bound of a picture, in nats, up to a constant.
    """
    load_keras()
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    pictures = x = keras.Input((SIDE, SIDE, 3))
    for number, filters in enumerate(FILTERS):
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu", name=f"conv{number}")(x)
    x = layers.Flatten()(x)
    mean, spread = layers.Dense(LATENT, name="mean")(x), layers.Dense(LATENT, name="log_variance")(x)
    x = _sampling()(seed, name="sampling")([mean, spread])
    cells = SIDE // 2 ** len(FILTERS)
    x = layers.Dense(cells * cells * FILTERS[-1], activation="relu")(x)
    x = layers.Reshape((cells, cells, FILTERS[-1]))(x)
    for filters in reversed(FILTERS[:-1]):
        x = layers.Conv2DTranspose(filters, 3, 2, "same", activation="relu")(x)
    model = keras.Model(pictures, layers.Conv2DTranspose(3, 3, 2, "same", activation="sigmoid")(x))
    model.compile(keras.optimizers.Adam(RATE), _reconstruction)
    model.optimizer.build(model.trainable_variables)  # so that a stopped run's state can be restored
    return model


def encoder_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights that the encoder needs, named as `captioner.encoders.autoencoder.shapes` says."""
    weights = {}
    for name in shapes():
        layer, _, part = name.partition("/")
        weights[name] = np.asarray(getattr(model.get_layer(layer), part).numpy(), np.float32)
    return weights


def _reconstruction(pictures: keras.KerasTensor, made: keras.KerasTensor) -> keras.KerasTensor:
    import keras

    return keras.ops.sum(keras.ops.square(pictures - made), axis=(1, 2, 3)) / (2 * NOISE**2)


def _sampling() -> type[keras.layers.Layer]:
    """Return the layer's class, which cannot be made before Keras is loaded."""
    import keras

    class Sampling(keras.layers.Layer):
        """Draws from the latent distribution; adds its divergence from the prior to the loss."""

        def __init__(self, seed: int, **settings: object) -> None:
            super().__init__(**settings)
            self.generator = keras.random.SeedGenerator(seed)

        def call(self, distribution: list[keras.KerasTensor]) -> keras.KerasTensor:
            mean, log_variance = distribution
            variance = keras.ops.exp(log_variance)
            divergence = keras.ops.sum(keras.ops.square(mean) + variance - log_variance - 1, axis=1) / 2
            self.add_loss(keras.ops.mean(divergence))
            noise = keras.random.normal(keras.ops.shape(mean), seed=self.generator)
            return mean + keras.ops.sqrt(variance) * noise

    return Sampling
