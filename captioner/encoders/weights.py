"""Weights of further encoders, kept in the user's cache once they were read, and their names."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

_log = logging.getLogger(__name__)

Weights = Mapping[str, np.ndarray]
"""The weights of an encoder by name, float32."""


def kept_file(name: str) -> Path:
    """Return where the weights of the encoder `name` are kept; they need not be there."""
    return user_cache_path("retroflex", appauthor=False) / "encoders" / f"{name}.safetensors"


def trained_file(library: Path, name: str) -> Path:
    """Return where a library has the weights of an encoder that was trained on its pictures; they need not be there."""
    return library / "encoders" / f"{name}.safetensors"


def of_library(library: Path, name: str) -> Path | None:
    """Return the file of `trained_file` if it is there."""
    file = trained_file(library, name)
    return file if file.is_file() else None


def load_kept(name: str) -> Weights | None:
    """Return the kept weights, or None if there are none; damaged ones count as none."""
    try:
        return load_file(kept_file(name))
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError) as error:
        _log.warning("%s is damaged (%s) and made again", kept_file(name), error)
        return None


def keep(name: str, weights: Weights) -> None:
    """Keep the weights, in one step; where the cache cannot be written they are read anew each time."""
    file = kept_file(name)
    beside = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: np.ascontiguousarray(value) for key, value in weights.items()}, beside)
        os.replace(beside, file)
    except (OSError, SafetensorError) as error:
        beside.unlink(missing_ok=True)
        _log.warning("%s cannot be written (%s)", file, error)


def weights_key(weights: Weights) -> str:
    """Return a hash of the weights, hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights[name]).data)
    return digest.hexdigest()
