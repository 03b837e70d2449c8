"""A quantised MobileNetV2 file's weights as float32 arrays, read by the TFLite flatbuffer schema.

`python -m training.distillation.tflite TEACHER.tflite TEACHER.safetensors` keeps them for machines without a TFLite
runtime.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import RetroflexError
from training.state import save_tensors

CONVOLUTIONS = 53
"""MobileNetV2's: the first, 17 blocks of up to three, the last, and the classifier."""


def dequantise(values: np.ndarray, scale: np.ndarray, zero: np.ndarray, axis: int) -> np.ndarray:
    """Return scale * (values - zero), float32; `scale` and `zero` have one entry, or one for each index of `axis`.

    Source: the TensorFlow Lite 8-bit quantization specification.
    """
    shape = [1] * values.ndim
    shape[axis] = -1
    moved = values.astype(np.float32) - zero.astype(np.float32).reshape(shape)
    return moved * scale.astype(np.float32).reshape(shape)


def read_tflite(path: Path) -> dict[str, np.ndarray]:
    """Return every convolution's `NN/kernel` and `NN/bias` in the order of the graph, and `input/scale`, `input/zero`.

    Kernels are laid out as Keras has them: (height, width, in, out), depthwise (height, width, channels, 1). The
    network's input is scale * (uint8 - zero). Raises RetroflexError when the file is no such network.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    try:
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        graph = model.subgraphs[0]
        entrance = graph.tensors[graph.inputs[0]].quantization
        weights = {"input/scale": entrance.scale, "input/zero": entrance.zeroPoint.astype(np.float32)}
        found = [operator for operator in graph.operators if _kind(model, operator) in _layouts(schema)]
        for number, operator in enumerate(found):
            _, kernel, bias = (graph.tensors[index] for index in operator.inputs)
            layout = _layouts(schema)[_kind(model, operator)]
            weights[f"{number:02d}/kernel"] = _value(model, kernel, schema).transpose(layout)
            weights[f"{number:02d}/bias"] = _value(model, bias, schema)
    except (struct.error, IndexError, AttributeError, TypeError, ValueError, KeyError) as error:
        raise not_a_teacher(path) from error
    if len(found) != CONVOLUTIONS:
        raise not_a_teacher(path)
    return weights


def not_a_teacher(path: Path) -> RetroflexError:
    """The one complaint about every kind of unusable teacher."""
    return RetroflexError(f"teacher {path} is no ImageNet classifier of the MobileNetV2 kind (.tflite or .safetensors)")


def _layouts(schema: Any) -> dict[int, tuple[int, ...]]:
    """How to turn TFLite's kernels, (out, h, w, in) and (1, h, w, channels), into Keras'."""
    return {schema.BuiltinOperator.CONV_2D: (1, 2, 3, 0), schema.BuiltinOperator.DEPTHWISE_CONV_2D: (1, 2, 3, 0)}


def _kind(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _value(model: Any, tensor: Any, schema: Any) -> np.ndarray:
    types = {schema.TensorType.UINT8: np.uint8, schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32}
    raw = model.buffers[tensor.buffer].data.view(types[tensor.type]).reshape(tensor.shape)
    quantised = tensor.quantization
    return dequantise(raw, quantised.scale, quantised.zeroPoint, quantised.quantizedDimension)


if __name__ == "__main__":
    save_tensors(read_tflite(Path(sys.argv[1])), Path(sys.argv[2]))
