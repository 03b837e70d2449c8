"""VGG16 by name: its settings, and the fastest of its two forms on this machine."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from captioner.encoders.base import Encoder
from captioner.encoders.pooling import plain_mean
from captioner.encoders.registry import EncoderParts, Family, register
from captioner.encoders.vgg16 import IMAGENET, NAME, KerasVGG16, VGG16Config, load_vgg16_weights
from captioner.encoders.vgg16_int8 import Int8VGG16, why_not_int8
from captioner.frameworks import best_precision

_log = logging.getLogger(__name__)


def build_fastest(config: VGG16Config | None, parts: EncoderParts) -> Encoder:
    """Build the fastest form of the encoder on this machine, or Keras' if a precision is given."""
    config, pooling = config or VGG16Config(), parts.pooling or plain_mean
    why_keras = f"{parts.precision} is requested" if parts.precision else why_not_int8(parts.activations)
    if why_keras is None:
        _log.info("encoder: OpenVINO, int8")
        return Int8VGG16(config, parts.weights, parts.activations, pooling, parts.model_version)
    precision = parts.precision or best_precision()
    _log.info("encoder: Keras, %s (no int8: %s)", precision, why_keras)
    return KerasVGG16(config, parts.weights, precision, pooling, parts.model_version)


def _weights(config: VGG16Config, source: Path | None) -> dict[str, np.ndarray]:
    return load_vgg16_weights(str(source) if source else IMAGENET)


register(Family(NAME, VGG16Config, build_fastest, _weights, summary="VGG16, the captioner's encoder by default"))
