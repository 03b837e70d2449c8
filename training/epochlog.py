"""What each epoch of a training measured, as CSV and as TensorBoard events."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from training.state import save_text


class EpochLog:
    """`log.csv` and TensorBoard events, one row an epoch; rows after `done` epochs are dropped on resume."""

    def __init__(self, out: Path, done: int) -> None:
        self._path = out / "log.csv"
        self._events = out / "tensorboard"
        self._rows = self._read()[:done]

    @property
    def empty(self) -> bool:
        """Whether no epoch is logged yet."""
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
        """Append an epoch's figures to the file and to TensorBoard."""
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
