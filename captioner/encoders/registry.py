"""Encoders by name. To add one, write a file beside `vgg16` and name it in MODULES, or call `register`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import numpy as np

from captioner.encoders.base import Encoder, EncoderConfig
from captioner.encoders.pooling import Pooling
from captioner.frameworks import Precision
from data.errors import RetroflexError

MODULES = ("captioner.encoders.vgg16_family",)
"""Imported on first use of an encoder; each registers its family."""
RESERVED = frozenset({"joint", "cells"})
"""Kinds of features that belong to no encoder."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


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


@dataclass(frozen=True)
class Family:
    """Encoders of one architecture: how its settings are read from JSON, and how one is built.

    `build` uses the family's own settings if they are None. It raises BundleError if weights do not fit.
    """

    name: str
    config: Callable[..., EncoderConfig]
    build: Callable[[Any, EncoderParts], Encoder]


_FAMILIES: dict[str, Family] = {}


def register(family: Family) -> Family:
    """Register a family under its name, replacing one of the same name; return it.

    Raises ValueError for a name that cannot be the kind of vectors in store and index.
    """
    if not _NAME.fullmatch(family.name) or family.name in RESERVED:
        raise ValueError(f"an encoder cannot be called {family.name!r}: use small letters, digits and underscores")
    _FAMILIES[family.name] = family
    return family


def unregister(name: str) -> None:
    """Remove a family."""
    _FAMILIES.pop(name, None)


def family(name: str) -> Family:
    """Return the family of this name. Raises RetroflexError, which suggests the nearest name."""
    for module in MODULES:
        import_module(module)
    if name not in _FAMILIES:
        nearest = get_close_matches(name, _FAMILIES, 1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(sorted(_FAMILIES))}"
        raise RetroflexError(f"no encoder is called {name[:40]!r}; {hint}")
    return _FAMILIES[name]


def read_config(document: Mapping[str, Any]) -> EncoderConfig:
    """Read settings from JSON that also has the family's `name`. Raises RetroflexError or TypeError."""
    return family(document["name"]).config(**{key: value for key, value in document.items() if key != "name"})


def build(config: EncoderConfig, parts: EncoderParts) -> Encoder:
    """Build the encoder of a bundle. Raises BundleError if its weights do not fit."""
    return family(config.name).build(config, parts)


def build_further(name: str) -> Encoder:
    """Build a further encoder with its family's own settings. Raises RetroflexError."""
    return family(name).build(None, EncoderParts())
