"""Distillation learns, grows, and goes on exactly where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training import distil as module
from training.crops import plan_crops
from training.distil import distil
from training.lesson import Lesson, Stage
from training.teacher import LOGITS, POOLED, Answers

STAGES = [Stage(1 / 32, 32, 6, 1e-2, 1e-3), Stage(1 / 16, 32, 3, 1e-3)]


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (6, 40, 40, 3)).astype(np.uint8)
    plan = plan_crops(np.full(6, 1 / 6), 40, 40, seed=0)
    answers = Answers(
        random.normal(size=(40, LOGITS)).astype(np.float16), random.random((40, POOLED)).astype(np.float16)
    )
    return Lesson(pixels, plan, answers, held_out=8)


@pytest.mark.slow
def test_a_stopped_run_ends_as_an_undisturbed_one(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    start = module.get_weights(module.build_student(1 / 32, 32))
    whole = distil(lesson, STAGES, start, tmp_path / "whole", batch=8)

    real_log, calls = module._log, []

    def stop_at_third(out: Path, entry: dict[str, object]) -> None:
        real_log(out, entry)
        calls.append(entry)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "_log", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        distil(lesson, STAGES, start, tmp_path / "stopped", batch=8)
    resumed = distil(lesson, STAGES, start, tmp_path / "stopped", batch=8)
    assert resumed["block1_conv1/kernel"].shape[3] == 4
    for name, value in whole.items():
        np.testing.assert_allclose(resumed[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_learns_and_logs_agreement(lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    start = module.get_weights(module.build_student(1 / 32, 32))
    distil(lesson, [Stage(1 / 32, 32, 12, 3e-2, 1e-2)], start, tmp_path, batch=16)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < log[0]["loss"]
    assert [entry["step"] for entry in log] == list(range(1, 13))
    assert all(0 <= entry["top1"] <= 1 and -1 <= entry["cosine"] <= 1 for entry in log)
