"""Read the tensors of a PyTorch file (.pth) of the form before version 1.6, without PyTorch, and without running it.

Such a file is a row of pickles, and a pickle is a program. This reader lets it build dictionaries, and name tensors
that lie further back in the file; everything else that a pickle can call is refused.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.errors import RetroflexError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
LARGEST = 2**30
"""Bytes of a file; those of the networks that are read have a fortieth of it."""
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage(NamedTuple):
    """A run of numbers in the file, by its key."""

    key: str
    dtype: np.dtype
    size: int


class _Tensor(NamedTuple):
    """Numbers of a storage from `offset` on; `strides` are the steps along each axis."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read a dictionary of tensors, float32 or int64. Raises RetroflexError, one line, for any other content."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RetroflexError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > LARGEST:
        raise RetroflexError(f"{path} has {len(content):,} bytes, more than any network that is read here")
    try:
        return _tensors(io.BytesIO(content), content)
    except RetroflexError as error:
        raise RetroflexError(f"{path} is refused: {error}") from error
    except Exception as error:  # a damaged pickle raises almost anything
        raise RetroflexError(f"{path} is no PyTorch file that can be read here ({type(error).__name__})") from error


def _tensors(file: io.BytesIO, content: bytes) -> dict[str, np.ndarray]:
    if (_Reader(file).load(), _Reader(file).load()) != (MAGIC, PROTOCOL):
        raise RetroflexError("it does not begin as PyTorch files before version 1.6 do")
    _Reader(file).load()  # of which sizes the writer's machine had its numbers
    named = _Reader(file).load()
    keys = _Reader(file).load()
    if not isinstance(named, Mapping) or not all(isinstance(one, _Tensor) for one in named.values()):
        raise RetroflexError("it does not hold a dictionary of tensors")
    sizes = {one.storage.key: one.storage for one in named.values()}
    numbers = {}
    for key in keys:
        storage = sizes[key]
        start = file.tell() + 8
        if int.from_bytes(content[start - 8 : start], "little") != storage.size:
            raise RetroflexError("its tensors have other sizes than it says")
        numbers[key] = np.frombuffer(content, storage.dtype, storage.size, start)
        file.seek(start + numbers[key].nbytes)
    return {str(name): _cut(tensor, numbers[tensor.storage.key]) for name, tensor in named.items()}


def _cut(tensor: _Tensor, numbers: np.ndarray) -> np.ndarray:
    """Return a tensor as an array of its own. Raises RetroflexError if it reaches beyond its numbers."""
    steps = [*tensor.shape, *tensor.strides, tensor.offset]
    if len(tensor.shape) != len(tensor.strides) or any(not isinstance(one, int) or one < 0 for one in steps):
        raise RetroflexError("the shape of a tensor is not one")
    last = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape or tensor.offset + last >= len(numbers):
        raise RetroflexError("a tensor reaches beyond its numbers")
    strides = [step * numbers.itemsize for step in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides).copy()


class _Reader(pickle.Unpickler):
    """An unpickler that finds three things by name, all of them defined here."""

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return _Dictionary
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch", kind if kind in STORAGES:
                return STORAGES[kind]
        raise RetroflexError(f"it wants to use {module}.{name}, which no file of tensors needs")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, size, view = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or view is not None:
            raise RetroflexError("it refers to something other than numbers")
        return _Storage(str(key), dtype, int(size))


class _Dictionary(dict[str, Any]):
    """A dictionary of tensors; what PyTorch hangs on one, the versions of its layers, is dropped."""

    def __setstate__(self, state: Any) -> None:
        pass


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise RetroflexError("a tensor has no numbers")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))
