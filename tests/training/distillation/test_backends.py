"""A distillation runs on every Keras back end, and on JAX and PyTorch without TensorFlow."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from captioner.quiet import load_keras
load_keras()
import keras
from tests.training.lessons import noise_crops
from tests.training.distillation.test_teacher_model import random_weights
from training.distillation.distil import distil
from training.distillation.lesson import LiveLesson, Stage
from training.state import save_tensors
from training.distillation.teacher_model import KerasTeachers

out = Path(sys.argv[1])
save_tensors(random_weights(0), out / "teacher.safetensors")
teachers = KerasTeachers([out / "teacher.safetensors"])
live = LiveLesson(noise_crops(8), np.full(6, 1 / 6), teachers, batch=4, seed=0)
weights = distil(live, [Stage(1 / 32, 112, 2, 1e-3, mixup=True)], (), out / "live", seed=0)
loaded = [name for name in ("tensorflow", "jax", "torch") if name in sys.modules]
finite = all(bool(np.isfinite(value).all()) for value in weights.values())
print(json.dumps({"backend": keras.backend.backend(), "loaded": loaded, "finite": finite}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_tiny_distillation(backend: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    quickly_compiled = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": quickly_compiled}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    facts = json.loads(result.stdout.splitlines()[-1])
    assert facts == {"backend": backend, "loaded": [backend], "finite": True}
    assert len((tmp_path / "live" / "log.jsonl").read_text().splitlines()) == 1
