"""Plain arrays in a folder, one .npy file each: written without objects, read back memory-mapped."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import numpy as np

from data.errors import RetroflexError

_reading = Lock()
"""NumPy reads a header as Python's syntax; threads of CPython 3.11 that do so at once get a SystemError, rarely."""


class IndexDamaged(RetroflexError):
    """A file of the search index is missing, cut short or altered."""


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write each array to `folder`/NAME.npy. Raises OSError."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def load_array(folder: Path, name: str, dimensions: int = 1) -> np.ndarray:
    """Return `folder`/NAME.npy as a read-only, memory-mapped array. Raises IndexDamaged or FileNotFoundError."""
    path = folder / f"{name}.npy"
    try:
        with _reading:
            array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise IndexDamaged(f"the search index file {path.name} cannot be read: {error}") from error
    if array.ndim != dimensions:
        raise IndexDamaged(f"the search index file {path.name} has {array.ndim} dimensions instead of {dimensions}")
    return array


def smallest(numbers: np.ndarray) -> np.ndarray:
    """Return the same whole numbers, none below 0, in the smallest type that holds them."""
    most = int(numbers.max(initial=0))
    kind = next((dtype for dtype in (np.uint8, np.uint16, np.uint32) if most <= np.iinfo(dtype).max), np.int64)
    return numbers.astype(kind, copy=False)


def release(array: np.ndarray) -> None:
    """Release the pages of a memory-mapped array; the next access maps them again, mostly from the file cache.

    Reading one row makes Linux map much around it, so scattered reads soon map the whole file. Other arrays are not
    changed.
    """
    mapped = getattr(array.base, "base", None)
    if isinstance(mapped, mmap.mmap):
        mapped.madvise(mmap.MADV_DONTNEED)


def widened(half: np.ndarray) -> np.ndarray:
    """Return finite float16 numbers as float32, the same values, several times faster than `astype`.

    Sign, exponent and fraction move to their positions in float32, whose exponent starts 112 lower.
    """
    bits = np.ascontiguousarray(half).view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= np.int32(-0x70002000)  # The shift repeated the sign.
    wide = bits.view(np.float32)
    wide *= np.float32(2.0**112)
    return wide


def present_rows(count: int, absent: np.ndarray | None) -> np.ndarray:
    """Return those of `count` rows that are not `absent` (bool (count,), None for no row), rising."""
    return np.arange(count) if absent is None else np.flatnonzero(~absent)


def where(kept: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the values (n,) that are `kept`, bool (n,)."""
    return values if kept.all() else values[kept]


def years_of(days: np.ndarray) -> np.ndarray:
    """Return the years of datetime64 (n,), int32 (n,)."""
    return (days.astype("datetime64[Y]").astype(np.int64) + 1970).astype(np.int32)
