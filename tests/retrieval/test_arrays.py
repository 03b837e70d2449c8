"""Half precision is widened to the same values, and a mapped array can be read after its pages are released."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest

from retrieval.arrays import load_array, release, save_arrays, widened


def test_every_finite_half_keeps_its_value() -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert np.array_equal(widened(halves).view(np.uint32), halves.astype(np.float32).view(np.uint32))
    matrix = halves[: 2**10].reshape(32, 32)
    assert np.array_equal(widened(matrix[:, ::2]), matrix[:, ::2].astype(np.float32))


def test_released_pages_are_read_again(tmp_path: Path) -> None:
    values = np.arange(100_000)
    save_arrays(tmp_path, {"values": values})
    mapped = load_array(tmp_path, "values")
    for array in (mapped, values):
        release(array)
        assert array.sum() == 4_999_950_000


def test_threads_read_headers_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that read Python's syntax at once may get a SystemError of CPython."""
    save_arrays(tmp_path, {"values": np.arange(5)})
    load, reading = np.load, Lock()

    def load_alone(*arguments: Any, **options: Any) -> Any:
        assert reading.acquire(blocking=False)
        time.sleep(0.005)
        reading.release()
        return load(*arguments, **options)

    monkeypatch.setattr(np, "load", load_alone)
    with ThreadPoolExecutor(4) as threads:
        assert [one.sum() for one in threads.map(lambda _: load_array(tmp_path, "values"), range(8))] == [10] * 8
