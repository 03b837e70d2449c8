"""Where a VGG16 comes from: the shipped one, ImageNet's, a bundle's, or a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioner.bundle import BUNDLED, load_bundle
from captioner.checksums import bundle_version
from captioner.encoders.vgg16 import VGG16Config, load_vgg16_weights
from captioner.quantise import rounded
from data.errors import RetroflexError
from data.paths import display


@dataclass(frozen=True)
class EncoderSource:
    """A VGG16 with its configuration; `name` says where it came from."""

    name: str
    config: VGG16Config
    weights: dict[str, np.ndarray]


def load_encoder_source(name: str, config: VGG16Config | None = None, bits: int = 8) -> EncoderSource:
    """Resolve `bundled`, `imagenet`, a bundle folder or a Keras VGG16 file. Raises RetroflexError.

    The weights are rounded as a bundle stores them, so that the decoder learns from what it will be given.
    """
    folder = BUNDLED if name == "bundled" else Path(name)
    if name == "bundled" or folder.is_dir():
        bundle = load_bundle(folder)
        own = bundle.encoder
        if not isinstance(own, VGG16Config):
            raise RetroflexError(f"{display(folder)} holds the encoder {own.name}; training takes vgg16")
        return EncoderSource(bundle_version(folder), config or own, dict(bundle.encoder_weights))
    return EncoderSource(Path(name).name, config or VGG16Config(), rounded(load_vgg16_weights(name), bits))


def weights_key(weights: dict[str, np.ndarray]) -> str:
    """A name that any change of the weights changes."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()
