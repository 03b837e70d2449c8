"""The last block of VGG16 apart from those before it, so that it can be taught while their work is done once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
from keras import layers
from tqdm import tqdm

from captioner.encoders.vgg16 import BEFORE_LAST_BLOCK, LAST_BLOCK
from captioner.frameworks import best_precision, computing_in, variable_name
from data.errors import RetroflexError
from training.sources import EncoderSource

AT_ONCE = 32


def before_tail(source: EncoderSource) -> EncoderSource:
    """The blocks before the last, whose output is what the last one reads. Raises RetroflexError."""
    if source.config.layer != LAST_BLOCK[-1]:
        raise RetroflexError(
            f"fine-tuning needs an encoder whose grid is that of {LAST_BLOCK[-1]}, not {source.config.layer}"
        )
    return replace(source, config=replace(source.config, layer=BEFORE_LAST_BLOCK))


def build_tail(source: EncoderSource) -> keras.Model:
    """The last block of `source`, from (n, edge, edge, 512) to grids of that shape."""
    edge = source.config.side // 16
    channels = source.weights[f"{LAST_BLOCK[0]}/bias"].size
    with computing_in(best_precision()):
        inputs = x = keras.Input((edge, edge, channels))
        for name in LAST_BLOCK:
            x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=name)(x)
        model = keras.Model(inputs, x)
    for variable in model.weights:
        variable.assign(source.weights[variable_name(variable)])
    return model


def with_tail(source: EncoderSource, weights: Mapping[str, np.ndarray], name: str) -> EncoderSource:
    """The encoder called `name` whose last block has other `weights`."""
    return replace(source, name=name, weights={**source.weights, **weights})


def through_tail(tail: keras.Model, before: np.ndarray) -> np.ndarray:
    """Grids float16 (n, views, cells, channels) of what the blocks `before` gave, of the same shape."""
    pictures, views, cells, channels = before.shape
    edge = round(cells**0.5)
    grids = np.empty(before.shape, np.float16)
    with tqdm(total=pictures, desc="last block", unit="pic", disable=None) as bar:
        for start in range(0, pictures, AT_ONCE):
            seen = np.asarray(before[start : start + AT_ONCE], np.float32).reshape(-1, edge, edge, channels)
            found = np.asarray(tail.predict_on_batch(seen), np.float32)
            grids[start : start + AT_ONCE] = found.reshape(-1, views, cells, channels)
            bar.update(len(found) // views)
    return grids
