"""Everything a training needs to go on exactly where it was, in one file replaced atomically."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file

if TYPE_CHECKING:
    import keras

COUNTER = "done"


def save_tensors(tensors: Mapping[str, np.ndarray], path: Path) -> None:
    """Write named arrays as safetensors; the file appears whole or not at all."""
    temporary = path.with_suffix(".tmp")
    save_file({name: np.asarray(value, order="C") for name, value in tensors.items()}, temporary)
    os.replace(temporary, path)


def save_text(text: str, path: Path) -> None:
    """Write UTF-8 text; the file appears whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def save_state(model: keras.Model, done: int, path: Path) -> None:
    """Keep every variable of `model` (dropout's random state too) and of its optimizer, and the count `done`."""
    tensors = {name: np.asarray(variable.numpy()) for name, variable in _variables(model).items()}
    save_tensors({**tensors, COUNTER: np.asarray(done)}, path)


def restore_state(model: keras.Model, path: Path) -> int:
    """Undo `save_state` on a compiled and built model of the same shape; 0 where nothing was saved."""
    if not path.exists():
        return 0
    state = load_file(path)
    for name, variable in _variables(model).items():
        variable.assign(state[name].reshape(variable.shape))
    return int(state[COUNTER].item())


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Numbered, because two layers may hold variables of the same path."""
    named = {f"model/{index:03d}": one for index, one in enumerate(model.variables)}
    return named | {f"optimizer/{index:03d}": one for index, one in enumerate(model.optimizer.variables)}
