"""Checkpoints and the log of a training run: files that are replaced atomically, so that a stopped run can resume."""

from __future__ import annotations

import csv
import io
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
    """Write named arrays as safetensors, atomically."""
    temporary = path.with_suffix(".tmp")
    save_file({name: np.asarray(value, order="C") for name, value in tensors.items()}, temporary)
    os.replace(temporary, path)


def save_text(text: str, path: Path) -> None:
    """Write UTF-8 text, atomically."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def save_state(model: keras.Model, done: int, path: Path) -> None:
    """Save all variables of `model`, with dropout's random state, and of its optimizer, and the count `done`."""
    tensors = {name: np.asarray(variable.numpy()) for name, variable in _variables(model).items()}
    save_tensors({**tensors, COUNTER: np.asarray(done)}, path)


def restore_state(model: keras.Model, path: Path) -> int:
    """Load what `save_state` wrote into a compiled and built model; return `done`, 0 if nothing was saved."""
    if not path.exists():
        return 0
    state = load_file(path)
    for name, variable in _variables(model).items():
        variable.assign(state[name].reshape(variable.shape))
    return int(state[COUNTER].item())


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the variables by number, because two layers may have variables of the same path."""
    named = {f"model/{index:03d}": variable for index, variable in enumerate(model.variables)}
    return named | {f"optimizer/{index:03d}": variable for index, variable in enumerate(model.optimizer.variables)}


class EpochLog:
    """`log.csv` and TensorBoard events with a row for each epoch; rows after `done` epochs are dropped on resume."""

    def __init__(self, out: Path, done: int) -> None:
        self._path = out / "log.csv"
        self._events = out / "tensorboard"
        self._rows = self._read()[:done]

    @property
    def empty(self) -> bool:
        """Whether no epoch has been logged."""
        return not self._rows

    @property
    def best(self) -> float:
        """The highest dev CIDEr so far, or minus infinity."""
        return max((row["cider"] for row in self._rows), default=-np.inf)

    @property
    def best_row(self) -> dict[str, float]:
        """The figures of the epoch with the highest dev CIDEr."""
        return max(self._rows, key=lambda row: row["cider"])

    def add(self, row: dict[str, float]) -> None:
        """Add an epoch's figures to the file and to TensorBoard."""
        self._rows.append(row)
        lines = io.StringIO()
        writer = csv.DictWriter(lines, fieldnames=list(row))
        writer.writeheader()
        writer.writerows(self._rows)
        save_text(lines.getvalue(), self._path)
        self._write_events(row)

    def _read(self) -> list[dict[str, float]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]

    def _write_events(self, row: dict[str, float]) -> None:
        import tensorflow as tf

        with tf.summary.create_file_writer(str(self._events)).as_default():
            for name, value in row.items():
                tf.summary.scalar(name, value, step=int(row["epoch"]))
