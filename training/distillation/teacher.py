"""Quantised ImageNet classifiers whose answers the encoder learns to give; a training aid only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from training.distillation.tflite import not_a_teacher

INPUT_SIDE = 224
LOGITS = 1001
POOLED = 1280
CELLS = 49
"""Of the last map, 7 x 7."""


class Teachers(Protocol):
    """One or several classifiers that answer as one.

    Their probabilities are averaged: the logits are the log of the mean probability. The map, and so the pooled
    vector that is its mean, is the first teacher's alone, for each has a feature space of its own.
    """

    def answer(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (logits, maps), float32 (n, 1001) and (n, 49, 1280), for RGB pictures (n, 224, 224, 3)."""


class LiteTeachers:
    """The TFLite interpreter: quick on a processor core, one uint8 picture at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Raises RetroflexError when a file is no such classifier."""
        self._teachers = [_LiteTeacher(path) for path in paths]

    def answer(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `Teachers.answer`; pictures are uint8."""
        answers = [[teacher.answer(picture) for teacher in self._teachers] for picture in pictures]
        logits = np.stack([mean_log_probability(np.stack([one for one, _ in several])) for several in answers])
        return logits, np.stack([several[0][1] for several in answers])


def mean_log_probability(logits: np.ndarray) -> np.ndarray:
    """Return the log of the mean probability (classes,) of several teachers' logits (teachers, classes)."""
    peak = logits.max(axis=-1, keepdims=True)
    shares = np.exp(logits - peak)
    probability = (shares / shares.sum(axis=-1, keepdims=True)).mean(axis=0)
    result: np.ndarray = np.log(np.maximum(probability, np.finfo(np.float32).tiny))
    return result


class _LiteTeacher:
    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
            self._interpreter.allocate_tensors()
            self._input = self._interpreter.get_input_details()[0]["index"]
            details = self._interpreter.get_tensor_details()
            # The softmax repeats the logits' shape; its scale of 1/256 tells it apart.
            self._logits = _last(details, LOGITS, smallest_scale=1 / 200)
            self._map = _last(details, CELLS * POOLED, smallest_scale=0)
        except (ValueError, RuntimeError, IndexError) as error:
            raise not_a_teacher(path) from error

    def answer(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._interpreter.set_tensor(self._input, picture[None])
        self._interpreter.invoke()
        return self._read(self._logits), self._read(self._map).reshape(CELLS, POOLED)

    def _read(self, detail: dict[str, Any]) -> np.ndarray:
        scale, zero = detail["quantization"]
        values: np.ndarray = self._interpreter.get_tensor(detail["index"]).reshape(-1).astype(np.float32)
        return (values - np.float32(zero)) * np.float32(scale)


def _last(details: list[dict[str, Any]], size: int, smallest_scale: float) -> dict[str, Any]:
    fits = [one for one in details if np.prod(one["shape"]) == size and one["dtype"] in (np.uint8, np.int8)]
    return [one for one in fits if one["quantization"][0] > smallest_scale][-1]
