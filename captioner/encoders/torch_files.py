"""Read the tensors of a PyTorch file (.pth) of the form before version 1.6, without PyTorch, and without running it.

Such a file is a row of pickles, and a pickle is a program for a small machine with a stack. The machine here knows the
steps that make numbers, texts, tuples and dictionaries, and of what a pickle may call, it knows the one call that names
a tensor further back in the file, and that of an empty dictionary. It refuses everything else.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
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
    if (_unpickled(file), _unpickled(file)) != (MAGIC, PROTOCOL):
        raise RetroflexError("it does not begin as PyTorch files before version 1.6 do")
    _unpickled(file)  # of which sizes the writer's machine had its numbers
    named = _unpickled(file)
    keys = _unpickled(file)
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


_DICTIONARY, _TENSOR = ("collections", "OrderedDict"), ("torch._utils", "_rebuild_tensor_v2")
_NUMBERS = {("torch", kind): dtype for kind, dtype in STORAGES.items()}
_VALUES = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE"})
_MARK = object()
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "MARK": lambda: _MARK,
}


def _unpickled(file: io.BytesIO) -> Any:
    """Return what the next pickle in the file makes. Raises RetroflexError for a step that is not known."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for step, argument, _ in pickletools.genops(file):
        if step.name == "STOP":
            return stack.pop()
        if step.name in ("BINPUT", "LONG_BINPUT"):
            memo[int(str(argument))] = stack[-1]
        elif step.name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[int(str(argument))])
        elif step.name in _VALUES:
            stack.append(argument)
        elif step.name in _MADE:
            stack.append(_MADE[step.name]())
        elif step.name != "PROTO" and not (_join(step.name, stack) or _refer(step.name, argument, stack)):
            raise RetroflexError(f"its pickle has the step {step.name}, which no file of tensors needs")
    raise RetroflexError("a pickle does not end")


def _join(step: str, stack: list[Any]) -> bool:
    """Join what lies on the stack to a tuple, list or dictionary; return whether the step is of that kind."""
    match step:
        case "TUPLE1" | "TUPLE2" | "TUPLE3":
            count = int(step[-1])
            stack[-count:] = [tuple(stack[-count:])]
        case "TUPLE":
            stack.append(tuple(_since_mark(stack)))
        case "APPEND" | "APPENDS":
            items = [stack.pop()] if step == "APPEND" else _since_mark(stack)
            stack[-1].extend(items)
        case "SETITEM" | "SETITEMS":
            items = [stack.pop(-2), stack.pop()] if step == "SETITEM" else _since_mark(stack)
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        case _:
            return False
    return True


def _refer(step: str, argument: Any, stack: list[Any]) -> bool:
    """Name what the file may use, and call it; return whether the step is of that kind."""
    match step:
        case "GLOBAL":
            stack.append(_named(*argument.split(" ", 1)))
        case "REDUCE":
            stack.append(_called(stack.pop(-2), stack.pop()))
        case "BINPERSID":
            stack.append(_storage(stack.pop()))
        case "BUILD":
            stack.pop()  # PyTorch hangs the versions of its layers on the dictionary
        case _:
            return False
    return True


def _since_mark(stack: list[Any]) -> list[Any]:
    """Take what lies above the last mark off the stack, and the mark."""
    mark = next(place for place in range(len(stack) - 1, -1, -1) if stack[place] is _MARK)
    items = stack[mark + 1 :]
    del stack[mark:]
    return items


def _named(module: str, name: str) -> Any:
    """Return what stands here for what a pickle calls by its name."""
    known = (module, name)
    if known not in (_DICTIONARY, _TENSOR, *_NUMBERS):
        raise RetroflexError(f"it wants to use {module}.{name}, which no file of tensors needs")
    return _NUMBERS.get(known, known)


def _called(name: Any, arguments: tuple[Any, ...]) -> Any:
    if name == _DICTIONARY and not arguments:
        return {}
    if name != _TENSOR or not isinstance(arguments[0], _Storage):
        raise RetroflexError("it wants to call what no file of tensors needs")
    storage, offset, shape, strides, *_ = arguments
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _storage(reference: tuple[Any, ...]) -> _Storage:
    kind, dtype, key, _, size, view = reference
    if kind != "storage" or not isinstance(dtype, np.dtype) or view is not None:
        raise RetroflexError("it refers to something other than numbers")
    return _Storage(str(key), dtype, int(size))
