"""A student starts from any VGG16 or student there is, at the width of the first stage."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from captioner.vgg16 import preprocess
from data.errors import RetroflexError
from tests.training.lessons import noise_lesson
from training.distillation.lesson import Stage
from training.distillation.start import head_start
from training.distillation.student import build_student, get_weights, set_weights
from training.distillation.surgery import widen
from training.state import save_tensors

LESSON = noise_lesson()
STAGE = Stage(1 / 16, 32, 10, 1e-3)


def student_weights(width: float, seed: int = 0) -> dict[str, np.ndarray]:
    keras.utils.set_random_seed(seed)
    return get_weights(build_student(width, 32, LESSON.basis))


def logits(weights: dict[str, np.ndarray]) -> np.ndarray:
    student = build_student(STAGE.width, STAGE.side, LESSON.basis)
    set_weights(student, weights)
    return student.predict_on_batch(preprocess(LESSON.exam(32).pictures))[1]


def saved(weights: dict[str, np.ndarray], path: Path) -> str:
    save_tensors(weights, path)
    return str(path)


def test_without_a_source_the_seed_decides() -> None:
    one, again, other = (head_start((), STAGE, LESSON, seed) for seed in (1, 1, 2))
    assert np.array_equal(one["lg/kernel"], again["lg/kernel"])
    assert not np.array_equal(one["lg/kernel"], other["lg/kernel"])


def test_students_of_other_widths_keep_their_function(tmp_path: Path) -> None:
    narrow = student_weights(1 / 32)
    same = widen(narrow, seed=5)
    sources = {
        "narrow": saved(narrow, tmp_path / "narrow.safetensors"),
        "same": saved(same, tmp_path / "same.safetensors"),
        "wide": saved(widen(same, seed=6), tmp_path / "wide.safetensors"),
    }
    found = {name: logits(head_start((path,), STAGE, LESSON, 0)) for name, path in sources.items()}
    for name in ("narrow", "wide"):
        np.testing.assert_allclose(found[name], found["same"], atol=2e-3 * np.abs(found["same"]).max(), err_msg=name)


def test_a_later_source_gives_what_an_earlier_one_lacks(tmp_path: Path) -> None:
    first, second = student_weights(1 / 16, seed=3), student_weights(1 / 16, seed=4)
    body = {name: value for name, value in first.items() if name.startswith("block")}
    np.savez(tmp_path / "body.npz", **body)
    sources = (str(tmp_path / "body.npz"), saved(second, tmp_path / "second.safetensors"))
    weights = head_start(sources, STAGE, LESSON, 0)
    assert np.array_equal(weights["block3_conv1/kernel"], first["block3_conv1/kernel"])
    assert np.array_equal(weights["lg/kernel"], second["lg/kernel"])


@pytest.mark.slow
def test_the_bundled_encoder_at_its_own_width() -> None:
    weights = head_start(("bundled",), Stage(1, 32, 10, 1e-3), LESSON, 0)
    assert weights["block5_conv3/kernel"].shape == (3, 3, 512, 512)
    assert {f"block5_bn3/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")} <= weights.keys()


@pytest.mark.parametrize("name", ["start.npz", "start.safetensors", "start.h5", "missing.safetensors"])
def test_what_is_no_vgg16_is_one_line(name: str, tmp_path: Path) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(RetroflexError) as refusal:
        head_start((str(tmp_path / name),), STAGE, LESSON, 0)
    assert name in str(refusal.value)
    assert "\n" not in str(refusal.value)
