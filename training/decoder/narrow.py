"""An encoder whose channels are twins, at half its width: the same grid for a quarter of the work."""

from __future__ import annotations

import keras

from captioner.encoder import EncoderConfig, Precision, computing_in
from captioner.vgg16 import BLOCKS


def build_narrow(config: EncoderConfig, precision: Precision) -> keras.Model:
    """A plain VGG16 of half the channels, to `config.layer`, whose grid is doubled to the full number of channels.

    It takes the weights that `surgery.collapse` gives, and a decoder sees the grid of the full one.
    """
    with computing_in(precision):
        inputs = keras.Input((config.side, config.side, 3))
        x = _to(config.layer, inputs)
        return keras.Model(inputs, keras.layers.Concatenate(name="twins")([x, x]))


def _to(layer: str, x: keras.KerasTensor) -> keras.KerasTensor:
    for block, (convolutions, channels) in enumerate(BLOCKS, 1):
        for conv in range(1, convolutions + 1):
            name = f"block{block}_conv{conv}"
            x = keras.layers.Conv2D(channels // 2, 3, padding="same", activation="relu", name=name)(x)
            if name == layer:
                return x
        x = keras.layers.MaxPooling2D(name=f"block{block}_pool")(x)
        if layer == f"block{block}_pool":
            return x
    raise ValueError(f"VGG16 has no layer {layer}")
