"""Encoders by name. To add one, write a file beside `vgg16` and name it in MODULES, or call `register`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from captioner.encoders.base import Encoder, EncoderConfig
from captioner.encoders.pooling import Pooling
from captioner.encoders.weights import Weights, keep, kept_file, load_kept, weights_key
from captioner.frameworks import Precision
from data.errors import RetroflexError, nearest_of

MODULES = (
    "captioner.encoders.vgg16_family",
    "captioner.encoders.keras_applications",
    "captioner.encoders.efficientnet_lite",
    "captioner.encoders.autoencoder",
    "captioner.encoders.descriptors.colour_layout",
    "captioner.encoders.descriptors.dominant_colours",
    "captioner.encoders.descriptors.gabor",
    "captioner.encoders.descriptors.hog",
    "captioner.encoders.descriptors.sketch",
)
"""Imported on first use of an encoder; each registers its family."""
RESERVED = frozenset({"alike", "joint", "cells"})
"""Kinds of features that belong to no encoder."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""What the kind of vectors in store and index can be called."""


@dataclass(frozen=True)
class EncoderParts:
    """What a bundle holds of an encoder: weights by name, and what was calibrated on them.

    `pooling` makes vectors of grids; `activations` are the largest outputs of layers, for products of 8 bits.
    `precision` is "float32" or "mixed_bfloat16", None for the fastest that is close enough.
    """

    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    pooling: Pooling | None = None
    activations: Mapping[str, float] = field(default_factory=dict)
    precision: Precision | None = None
    model_version: str = ""


def _nothing_missing() -> str:
    return ""


@dataclass(frozen=True)
class Family:
    """Encoders of one architecture: how its settings are read from JSON, and how one is built.

    - `config` makes the settings, by default the family's own.
    - `build` uses the family's own settings if they are None. It raises BundleError if weights do not fit.
    - `weights` reads the weights for some settings, from a file if one is given; None if the family reads none. It
      raises RetroflexError, one line that says what to install or to download, or what is wrong with the file.
    - `missing` returns in one line what has to be installed or downloaded before `build`; "" if nothing has.
    - `kept` weights stay in the user's cache once they were read; not so those that belong to one library.
    - `summary` says in a few words what it is, `dimension` how many numbers a vector has; 0 if that depends.
    """

    name: str
    config: Callable[..., EncoderConfig]
    build: Callable[[Any, EncoderParts], Encoder]
    weights: Callable[[Any, Path | None], Weights] | None = None
    missing: Callable[[], str] = _nothing_missing
    summary: str = ""
    dimension: int = 0
    kept: bool = True


_FAMILIES: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Register a family under its name, replacing one of the same name; return it.

    Raises ValueError for a name that cannot be the kind of vectors in store and index.
    """
    if not NAME.fullmatch(family.name) or family.name in RESERVED:
        raise ValueError(f"an encoder cannot be called {family.name!r}: use small letters, digits and underscores")
    _FAMILIES[family.name] = family
    return family


def unregister(name: str) -> None:
    """Remove a family."""
    _FAMILIES.pop(name, None)


def families() -> list[Family]:
    """Return all families, by name."""
    for module in MODULES:
        import_module(module)
    return [_FAMILIES[name] for name in sorted(_FAMILIES)]


def family(name: str) -> Family:
    """Return the family of this name. Raises RetroflexError, which suggests the nearest name."""
    by_name = {one.name: one for one in families()}
    if name not in by_name:
        raise RetroflexError(f"no encoder is called {name[:40]!r}; {nearest_of(name, by_name)}")
    return by_name[name]


def read_config(document: Mapping[str, Any]) -> EncoderConfig:
    """Read settings from JSON that also has the family's `name`. Raises RetroflexError or TypeError."""
    return family(document["name"]).config(**{key: value for key, value in document.items() if key != "name"})


def build(config: EncoderConfig, parts: EncoderParts) -> Encoder:
    """Build the encoder of a bundle. Raises BundleError if its weights do not fit."""
    return family(config.name).build(config, parts)


def read_weights(config: EncoderConfig, source: Path | None = None) -> Weights:
    """Read the weights of an encoder with these settings, and keep them in the user's cache for the next time.

    They come from the file `source`, else from that cache, else from the family's own place. Raises RetroflexError,
    one line, for a family without weights, a file that does not fit, and where something is missing.
    """
    one = family(config.name)
    if one.weights is None:
        raise RetroflexError(
            f"{config.name} has no weights, so none can be read" + (f" from {source}" if source else "")
        )
    kept = load_kept(config.name) if one.kept and not source else None
    if kept is not None:
        return kept
    weights = one.weights(config, source)
    if one.kept:
        keep(config.name, weights)
    return weights


def build_further(name: str, source: Path | None = None) -> Encoder:
    """Build a further encoder with its family's own settings; its weights are read as `read_weights` does."""
    one = family(name)
    if one.weights is None and source is None:
        return one.build(None, EncoderParts())
    config = one.config()
    weights = read_weights(config, source)
    return one.build(config, EncoderParts(weights, model_version=f"{name}-{weights_key(weights)[:12]}"))


def what_is_missing(one: Family) -> str:
    """Return in one line what has to be installed or downloaded before `build_further`; "" if nothing has."""
    return "" if one.weights is not None and one.kept and kept_file(one.name).exists() else one.missing()
