"""Teachers are checked before any process is started; what they say is put into one answer and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.errors import RetroflexError
from training.distillation.answers import answer_crops
from training.distillation.basis import fit_basis, load_basis, save_basis
from training.distillation.crops import plan_crops
from training.distillation.teacher import mean_log_probability


@pytest.mark.parametrize("name", ["teacher.tflite", "teacher.safetensors"])
def test_a_file_that_is_no_classifier_is_one_line(name: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="the teacher's runtime is an extra")
    broken = tmp_path / name
    broken.write_bytes(b"no model")
    plan = plan_crops(np.ones(1), 40, 4, seed=0)
    with pytest.raises(RetroflexError, match="no ImageNet classifier"):
        answer_crops([broken], tmp_path / "pixels.npy", plan, tmp_path / "answers")


def test_several_teachers_give_the_log_of_their_mean_probability() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
    logits = np.log(shares) + np.array([[3.0], [-50.0]])
    np.testing.assert_allclose(np.exp(mean_log_probability(logits)), [0.4, 0.2, 0.4], rtol=1e-6)


def test_a_basis_keeps_the_map_of_few_directions(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    maps = random.normal(size=(8, 49, 20)).astype(np.float32) @ random.normal(size=(20, 1280)).astype(np.float32)
    save_basis(fit_basis(maps), tmp_path / "basis.safetensors")
    basis = load_basis(tmp_path / "basis.safetensors")
    coordinates = basis.project(maps)
    np.testing.assert_allclose(np.square(coordinates).sum(-1).mean(), basis.variance, rtol=1e-2)
    np.testing.assert_allclose(coordinates @ basis.components.T + basis.mean, maps, atol=1e-2 * np.abs(maps).max())
    kept = basis.unpack(basis.pack(coordinates))
    assert np.square(kept - coordinates).sum(-1).mean() < 0.01 * basis.variance
