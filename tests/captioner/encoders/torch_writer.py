"""Writes a PyTorch file of the form before version 1.6, without PyTorch."""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np

from captioner.encoders.torch_files import MAGIC, PROTOCOL


class _Storage:
    def __init__(self, key: str, kind: type, size: int) -> None:
        self.pid = ("storage", kind, key, "cpu", size, None)


class _Tensor:
    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self._arguments


class _Writer(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, _Storage) else None


def write_torch(path: Path, tensors: Mapping[str, np.ndarray], extra: Any = None) -> Path:
    """Write tensors, float32 or int64; `extra` is put beside them."""
    modules = _modules()
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        with path.open("wb") as file:
            _write(file, tensors, extra, modules["torch"])
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return path


def _write(file: IO[bytes], tensors: Mapping[str, np.ndarray], extra: Any, torch: Any) -> None:
    named: OrderedDict[str, Any] = OrderedDict()
    for number, (name, value) in enumerate(tensors.items()):
        kind = torch.FloatStorage if value.dtype == np.float32 else torch.LongStorage
        storage, strides = (
            _Storage(str(number), kind, value.size),
            tuple(step // value.itemsize for step in value.strides),
        )
        named[name] = _Tensor(storage, 0, value.shape, strides, False, OrderedDict())
    if extra is not None:
        named["extra"] = extra
    named._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    for one in (MAGIC, PROTOCOL, {"little_endian": True}, named, [str(number) for number in range(len(tensors))]):
        _Writer(file, 2).dump(one)
    for value in tensors.values():
        file.write(value.size.to_bytes(8, "little") + np.ascontiguousarray(value).tobytes())


def _modules() -> dict[str, Any]:
    """Return stand-ins for the modules that a file names."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))

    def rebuild() -> None: ...

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild  # type: ignore[attr-defined]
    return {"torch": torch, "torch._utils": utils}
