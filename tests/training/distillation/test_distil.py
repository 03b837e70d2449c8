"""Distillation learns, grows, and goes on exactly where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.lessons import noise_crops, noise_lesson
from training.distillation import distil as module
from training.distillation.distil import distil
from training.distillation.lesson import LiveLesson, Stage
from training.distillation.losses import logits_loss
from training.distillation.teacher import CELLS, LOGITS, POOLED

STAGES = [Stage(1 / 32, 32, 6, 1e-2, 1e-3), Stage(1 / 16, 32, 3, 1e-3)]


class ColourTeachers:
    """Answers with the mean colour of each cell, repeated."""

    def answer(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert pictures.shape[1:] == (224, 224, 3)
        cells = pictures.reshape(-1, 7, 32, 7, 32, 3).mean((2, 4)).reshape(-1, CELLS, 3).astype(np.float32) / 255
        maps = np.tile(cells, (1, 1, -(-POOLED // 3)))[..., :POOLED]
        return maps.mean(1)[:, :LOGITS], maps


@pytest.fixture(autouse=True)
def checkpoint_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)


def live_lesson() -> LiveLesson:
    return LiveLesson(noise_crops(8), np.full(6, 1 / 6), ColourTeachers(), batch=8, seed=0)


def entries(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.usefixtures("untraced")
def test_a_stopped_run_ends_as_an_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a lesson of either kind, since both give batches that depend on the step alone (`test_lesson`)."""
    lesson = live_lesson()
    whole = distil(lesson, STAGES, (), tmp_path / "whole", seed=0)

    real_log, calls = module._log, []

    def stop_at_third(out: Path, entry: dict[str, object]) -> None:
        real_log(out, entry)
        calls.append(entry)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "_log", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        distil(lesson, STAGES, (), tmp_path / "stopped", seed=0)
    resumed = distil(lesson, STAGES, (), tmp_path / "stopped", seed=0)
    assert resumed["block1_conv1/kernel"].shape[3] == 4
    for name, value in whole.items():
        np.testing.assert_allclose(resumed[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_learns_and_logs_agreement(tmp_path: Path) -> None:
    distil(noise_lesson(batch=16), [Stage(1 / 32, 32, 12, 3e-3, 1e-3)], (), tmp_path, seed=0)
    log = entries(tmp_path)
    assert log[-1]["loss"] < log[0]["loss"]
    assert [entry["step"] for entry in log] == list(range(1, 13))
    assert all(0 <= entry["top1"] <= 1 and -1 <= entry["cosine"] <= 1 for entry in log)
    assert "map" not in log[0]


@pytest.mark.usefixtures("untraced")
def test_matches_the_map_where_the_grids_are_alike(tmp_path: Path) -> None:
    stages = [Stage(1 / 32, 112, 6, 2e-3, 1e-3, mixup=True)]
    distil(live_lesson(), stages, (), tmp_path, seed=0, temperature=2)
    log = entries(tmp_path)
    assert log[-1]["loss"] < log[0]["loss"]
    assert all(entry["map"] > 0 for entry in log)


def test_the_temperature_keeps_the_size_of_the_gradient() -> None:
    """Near agreement, T^2 KL at T is a T-free quadratic in the logits, as Hinton et al. say of its gradient."""
    random = np.random.default_rng(0)
    teacher = random.normal(0, 0.01, (4, LOGITS)).astype(np.float32)
    student = random.normal(0, 0.01, (4, LOGITS)).astype(np.float32)
    cold, warm = (np.asarray(logits_loss(temperature)(teacher, student)) for temperature in (1.0, 2.0))
    np.testing.assert_allclose(warm, cold, rtol=0.05)
