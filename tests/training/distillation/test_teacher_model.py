"""The Keras teachers answer as the TFLite interpreter does, as far as eight bits allow."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from data.pictures import decode
from training.distillation.crops import cut
from training.distillation.teacher import CELLS, INPUT_SIDE, LOGITS, POOLED, LiteTeachers, mean_log_probability
from training.distillation.teacher_model import KerasTeachers
from training.distillation.tflite import dequantise, read_tflite
from training.state import save_tensors

SHARED = Path(__file__).parents[4] / "shared"
FILES = sorted((SHARED / "teachers").glob("*.tflite"))


def test_dequantising_follows_the_specification() -> None:
    values = np.array([[0, 10], [128, 255]], np.uint8)
    whole = dequantise(values, np.array([0.5], np.float32), np.array([128]), axis=0)
    assert whole.tolist() == [[-64, -59], [0, 63.5]]
    by_column = dequantise(values, np.array([0.5, 2], np.float32), np.array([0, 10]), axis=1)
    assert by_column.tolist() == [[0, 0], [64, 490]]


def random_weights(seed: int) -> dict[str, np.ndarray]:
    """What a TFLite file of a MobileNetV2 would give, with weights drawn at random."""
    random = np.random.default_rng(seed)
    network = keras.applications.MobileNetV2(weights=None, classes=LOGITS)
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    shapes = [tuple(layer.kernel.shape) for layer in network.layers if isinstance(layer, kinds)]
    weights = {"input/scale": np.array([1 / 128], np.float32), "input/zero": np.array([128], np.float32)}
    for number, shape in enumerate([*shapes, (1, 1, POOLED, LOGITS)]):
        outputs = shape[2] if shape[3] == 1 else shape[3]
        spread = (2 / (np.prod(shape) / outputs)) ** 0.5
        weights[f"{number:02d}/kernel"] = random.normal(0, spread, shape).astype(np.float32)
        weights[f"{number:02d}/bias"] = random.normal(0, 0.1, outputs).astype(np.float32)
    return weights


@pytest.fixture(scope="module")
def two_teachers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("teachers")
    paths = [folder / "one.safetensors", folder / "two.safetensors"]
    for seed, path in enumerate(paths):
        save_tensors(random_weights(seed), path)
    return paths


def test_several_are_averaged_and_the_first_gives_the_map(two_teachers: list[Path]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, INPUT_SIDE, INPUT_SIDE, 3)).astype(np.uint8)
    one, other = (KerasTeachers([path]).answer(pictures) for path in two_teachers)
    logits, maps = KerasTeachers(two_teachers).answer(pictures)
    assert (logits.shape, maps.shape) == ((2, LOGITS), (2, CELLS, POOLED))
    expected = [mean_log_probability(np.stack(pair)) for pair in zip(one[0], other[0], strict=True)]
    np.testing.assert_allclose(logits, expected, atol=1e-3)
    np.testing.assert_allclose(maps, one[1], atol=1e-4)


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    chosen = sorted((SHARED / "flickr8k" / "Flicker8k_Dataset").glob("*.jpg"))[:48]
    if not FILES or not chosen:
        pytest.skip("the teachers and Flickr8k are not in ../shared")
    pytest.importorskip("ai_edge_litert", reason="the teacher's runtime is an extra")
    images = [np.asarray(decode(path.read_bytes(), min_side=INPUT_SIDE).image) for path in chosen]
    return np.stack([cut(image, np.array([0, 0, image.shape[1], image.shape[0]]), INPUT_SIDE) for image in images])


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_agrees_with_the_interpreter_on_photographs(file: Path, photographs: np.ndarray, tmp_path: Path) -> None:
    """What is left is the interpreter's rounding of activations to eight bits."""
    save_tensors(read_tflite(file), tmp_path / "teacher.safetensors")
    logits, maps = KerasTeachers([tmp_path / "teacher.safetensors"]).answer(photographs)
    expected_logits, expected_maps = LiteTeachers([file]).answer(photographs)
    pooled, expected = maps.mean(axis=1), expected_maps.mean(axis=1)
    cosine = np.sum(pooled * expected, 1) / (np.linalg.norm(pooled, axis=1) * np.linalg.norm(expected, axis=1))
    same = np.mean(logits.argmax(axis=1) == expected_logits.argmax(axis=1))
    error = np.abs(pooled - expected).max() / expected.max()
    print(f"{file.name}: cosine {cosine.mean():.4f}, least {cosine.min():.4f}, top-1 {same:.3f}, error {error:.3f}")
    assert cosine.mean() > 0.99
    assert cosine.min() > 0.98
    assert same >= 0.85
    assert error < 0.25
