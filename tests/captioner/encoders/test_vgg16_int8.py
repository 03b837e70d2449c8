"""The encoder in 8-bit products is close to Keras' encoder, and used only where it is faster."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.bundle import load_bundle
from captioner.captioner import Captioner
from captioner.encoders import vgg16_int8
from captioner.encoders.vgg16 import CONVOLUTIONS, KerasVGG16, VGG16Config
from captioner.encoders.vgg16_int8 import Int8VGG16, calibrate_activations, why_not_int8
from captioner.errors import BundleError
from captioner.quantise import rounded
from tests.conftest import random_vgg16

CONFIG = VGG16Config(side=32, layer="block5_conv3")
TOLERANCE = 0.05
"""Of a grid's relative error; on photographs, ImageNet's VGG16 at 224 pixels has 0.03 on average."""


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return rounded(random_vgg16())


@pytest.fixture(scope="module")
def activations(weights: dict[str, np.ndarray], pictures: np.ndarray) -> dict[str, float]:
    return calibrate_activations(CONFIG, weights, pictures)


@pytest.fixture(scope="module")
def encoder(weights: dict[str, np.ndarray], activations: dict[str, float]) -> Int8VGG16:
    _need_openvino()
    return Int8VGG16(CONFIG, weights, activations)


def _need_openvino() -> None:
    if vgg16_int8.find_spec("openvino") is None:
        pytest.skip("OpenVINO is missing: pip install '.[fast]'")


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def test_activations_are_the_mean_of_largest_outputs(
    weights: dict[str, np.ndarray], activations: dict[str, float], pictures: np.ndarray
) -> None:
    assert list(activations) == list(CONVOLUTIONS[:-1])
    cut = KerasVGG16(VGG16Config(32, "block2_conv1"), weights, "float32").encode(pictures)
    assert activations["block2_conv1"] == pytest.approx(cut.grids.max(axis=(1, 2)).mean(), rel=1e-4)


@pytest.mark.parametrize("layer", ["block5_conv3", "block5_pool", "block3_conv2"])
def test_close_to_keras(
    layer: str, weights: dict[str, np.ndarray], activations: dict[str, float], pictures: np.ndarray
) -> None:
    _need_openvino()
    config = VGG16Config(32, layer)
    exact = KerasVGG16(config, weights, "float32").encode(pictures)
    found = Int8VGG16(config, weights, activations).encode(pictures)
    assert found.grids.dtype == np.float32
    assert found.grids.shape == exact.grids.shape
    assert _error(found.grids, exact.grids) < TOLERANCE
    assert np.sum(found.vectors * exact.vectors, axis=1).min() > 0.998


def test_threads_and_batches_change_nothing(encoder: Int8VGG16, pictures: np.ndarray) -> None:
    expected = encoder.encode(pictures).grids
    batches = [pictures[:1], pictures[1:4], pictures[4:], np.concatenate([pictures] * 3)] * 4
    with ThreadPoolExecutor(4) as pool:
        found = [features.grids for features in pool.map(encoder.encode, batches)]
    for round_ in range(4):
        one, three, two, every = found[4 * round_ : 4 * round_ + 4]
        assert _error(np.concatenate([one, three, two]), expected) < 1e-3
        assert _error(every, np.concatenate([expected] * 3)) < 1e-3


def test_a_missing_scale_or_weight_is_named(weights: dict[str, np.ndarray], activations: dict[str, float]) -> None:
    _need_openvino()
    with pytest.raises(BundleError, match="block3_conv1 should have a positive number, found 0"):
        Int8VGG16(CONFIG, weights, {**activations, "block3_conv1": 0.0})
    missing = {name: value for name, value in weights.items() if name != "block4_conv2/bias"}
    with pytest.raises(BundleError, match="block4_conv2/bias is missing"):
        Int8VGG16(CONFIG, missing, activations)


def test_openvino_is_loaded_without_its_telemetry() -> None:
    _need_openvino()
    code = (
        "import sys; from captioner.encoders.vgg16_int8 import load_openvino; load_openvino();"
        "sys.exit('openvino' not in sys.modules or 'openvino_telemetry' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("scales", "missing", "machine", "avx2", "reason"),
    [
        ({}, False, "x86_64", True, "no scales"),
        ({"block1_conv1": 1.0}, True, "x86_64", True, r"pip install '\.\[fast\]'"),
        ({"block1_conv1": 1.0}, False, "aarch64", True, "AVX2"),
        ({"block1_conv1": 1.0}, False, "x86_64", False, "AVX2"),
        ({"block1_conv1": 1.0}, False, "x86_64", True, "^$"),
    ],
)
def test_int8_is_for_bundles_machines_and_processors_that_can(
    monkeypatch: pytest.MonkeyPatch, scales: dict[str, float], missing: bool, machine: str, avx2: bool, reason: str
) -> None:
    monkeypatch.setattr(vgg16_int8, "find_spec", lambda _: None if missing else object())
    monkeypatch.setattr(vgg16_int8.platform, "machine", lambda: machine)
    monkeypatch.setattr(vgg16_int8, "_has_avx2", lambda: avx2)
    assert re.search(reason, why_not_int8(scales) or "")


def test_the_captioner_says_which_encoder_it_took(
    tiny_bundle: Path, activations: dict[str, float], pictures: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    _need_openvino()
    caplog.set_level(logging.INFO)
    bundle = replace(load_bundle(tiny_bundle), activations=activations)
    captioner = Captioner(bundle)
    if why_not_int8(activations):
        pytest.skip("this processor is not one for int8")
    near, exact = captioner.encode(pictures), Captioner(bundle, "float32").encode(pictures)
    assert "encoder: OpenVINO, int8" in caplog.messages
    assert "encoder: Keras, float32 (no int8: float32 is requested)" in caplog.messages
    assert 0 < _error(near.grids, exact.grids) < TOLERANCE
