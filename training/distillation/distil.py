"""Teach a VGG16 to agree with ImageNet classifiers on crops of unlabelled photographs.

The losses are in `training.distillation.losses`. Stages learn small and grow: a later stage may double the width (see
`surgery.widen`) or enlarge the crops. A run stopped at any instant goes on from its last checkpoint and sees
the same batches in the same order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load_file
from tqdm import tqdm

from captioner.vgg16 import FIRST, preprocess
from training.ahead import ahead
from training.distillation.lesson import Batch, Lesson, Stage
from training.distillation.losses import logits_loss, map_loss, pooled_loss
from training.distillation.muon import ConvolutionMuon
from training.distillation.start import head_start
from training.distillation.student import build_student, get_weights, matches_map, set_weights
from training.distillation.surgery import Weights, widen
from training.state import restore_state, save_state, save_tensors

CHECKPOINT_SECONDS = 120.0
PREFETCH = 6
HEADS = ("emb", "lg")
"""The student's last two layers, which are as wide as the teacher's; Muon would cost more there than it gives."""


def distil(
    lesson: Lesson, stages: Sequence[Stage], start: Sequence[str], out: Path, seed: int, temperature: float = 1.0
) -> Weights:
    """Run every stage and return the final student weights; progress goes to `out/log.jsonl`.

    `start` names sources of first weights, see `start.head_start`. Raises RetroflexError where one is no good.
    """
    out.mkdir(parents=True, exist_ok=True)
    weights: Weights = {}
    for number, stage in enumerate(stages):
        finished = out / f"stage{number}.safetensors"
        if finished.exists():
            weights = load_file(finished)
            continue
        weights = weights or head_start(start, stage, lesson, seed)
        if weights[f"{FIRST}/kernel"].shape[3] < int(64 * stage.width):
            weights = widen(weights, seed)
        weights = _run_stage(lesson, stage, number, weights, out, temperature)
        save_tensors(weights, finished)
    return weights


def _run_stage(lesson: Lesson, stage: Stage, number: int, start: Weights, out: Path, temperature: float) -> Weights:
    student = _compiled(stage, lesson, temperature)
    set_weights(student, start)
    checkpoint = out / f"stage{number}.partial.safetensors"
    done = restore_state(student, checkpoint)
    saved = time.monotonic()
    bar = tqdm(total=stage.steps, initial=done, desc=f"stage {number}: {stage.side} px", unit="batch")
    losses: list[float] = []
    for batch in _batches(lesson, stage, number, done):
        losses.append(float(student.train_on_batch(preprocess(batch.pictures), _targets(batch, stage.side))[0]))
        done += 1
        bar.update()
        if time.monotonic() - saved > CHECKPOINT_SECONDS or done == stage.steps:
            save_state(student, done, checkpoint)
            progress = {"stage": number, "step": done, "loss": float(np.mean(losses))}
            _log(out, {**asdict(stage), **progress, **agreement(student, lesson, stage.side)})
            losses, saved = [], time.monotonic()
    bar.close()
    return get_weights(student)


def _compiled(stage: Stage, lesson: Lesson, temperature: float) -> keras.Model:
    student = build_student(stage.width, stage.side, lesson.basis)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        stage.steps,
        alpha=stage.final_rate / stage.peak_rate,
        warmup_target=stage.peak_rate,
        warmup_steps=min(300, stage.steps // 10),
    )
    optimizer = ConvolutionMuon(rate, by_adam=HEADS, decay=0.01)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    losses = [pooled_loss, logits_loss(temperature), map_loss(lesson.basis.variance)]
    # TensorFlow makes a graph of a step in any case; JAX would go through it operation by operation.
    compiled = keras.backend.backend() == "jax"
    student.compile(optimizer, loss=losses[: len(student.outputs)], jit_compile=compiled)
    optimizer.build(student.trainable_variables)
    return student


def _targets(batch: Batch, side: int) -> list[np.ndarray]:
    return [batch.pooled, batch.logits, batch.maps] if matches_map(side) else [batch.pooled, batch.logits]


def agreement(student: keras.Model, lesson: Lesson, side: int) -> dict[str, float]:
    """Cosine of pooled vectors and top-1 agreement with the teachers on the exam's crops.

    `map`, where the grids match: the squared error of the last map as a share of its variance.
    """
    exam = lesson.exam(side)
    pooled, logits, *maps = student.predict(preprocess(exam.pictures), batch_size=64, verbose=0)
    lengths = np.linalg.norm(pooled, axis=1) * np.linalg.norm(exam.pooled, axis=1)
    cosine = np.sum(pooled * exam.pooled, axis=1) / (lengths + 1e-9)
    same = logits.argmax(axis=1) == exam.logits.argmax(axis=1)
    errors = {"map": float(np.square(maps[0] - exam.maps).sum(axis=-1).mean() / lesson.basis.variance)} if maps else {}
    return {"cosine": float(cosine.mean()), "top1": float(same.mean()), **errors}


def _batches(lesson: Lesson, stage: Stage, number: int, first: int) -> Iterator[Batch]:
    """Yield batches `first` to `stage.steps`, cut ahead of the model in threads; each depends on its number alone."""
    steps = ((stage, number, step) for step in range(first, stage.steps))
    for ready in ahead(lesson.prepare, steps, PREFETCH):
        yield ready()


def _log(out: Path, entry: dict[str, object]) -> None:
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(entry) + "\n")
