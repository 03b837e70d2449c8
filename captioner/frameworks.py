"""Load Keras and TensorFlow quietly, and helpers for every network built with them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras

Precision = Literal["float32", "mixed_bfloat16"]


def load_keras() -> None:
    """Import Keras and run one operation, so that all start-up messages come now, and drop them."""
    if "keras" in sys.modules:
        return
    with _quiet_standard_error(), as_if_missing("sklearn", "matplotlib"):
        import keras

        keras.ops.sum(keras.ops.ones((2, 2)))


def load_tensorflow() -> None:
    """Import TensorFlow alone in the same way."""
    if "tensorflow" in sys.modules:
        return
    with _quiet_standard_error():
        import tensorflow as tf

        tf.reduce_sum(tf.ones((2, 2)))


@contextmanager
def as_if_missing(*modules: str) -> Iterator[None]:
    """Hide optional imports of other packages; without these, Keras loads in two thirds of the time."""
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _quiet_standard_error() -> Iterator[None]:
    """Redirect file descriptor 2, which C++ writes to; show the output only if the block fails."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            yield
        except BaseException:
            output.seek(0)
            os.write(original, output.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)


def has_gpu() -> bool:
    """Return whether TensorFlow has a graphics processor to compute on."""
    load_tensorflow()
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def best_precision() -> Precision:
    """Return `mixed_bfloat16` if the processor multiplies bfloat16 matrices in hardware, else `float32`."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "float32"
    return "mixed_bfloat16" if "amx_bf16" in flags or "avx512_bf16" in flags else "float32"


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Layers made in this context compute in `precision`; their weights are always float32."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def variable_name(variable: keras.Variable) -> str:
    """Return the layer's and the variable's name, as in `block1_conv1/kernel`."""
    return "/".join(variable.path.split("/")[-2:])
