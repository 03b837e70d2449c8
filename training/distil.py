"""Teach a VGG16 to agree with an ImageNet classifier on crops of unlabelled photographs.

Loss: 4 KL(teacher || student) at temperature 2 (Hinton et al. 2015) + 20 MSE on the pooled vector. Stages
learn small and grow: a later stage may double the width (see `student.widen`) or enlarge the crops. A run
stopped at any instant goes on from its last checkpoint and sees the same batches in the same order.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from captioner.vgg16 import preprocess
from training.crops import CropPlan, cut
from training.student import build_student, get_weights, set_weights, widen
from training.teacher import Answers

TEMPERATURE = 2.0
POOLED_WEIGHT = 20.0
CHECKPOINT_SECONDS = 120.0
PREFETCH = 6
TWIN_NOISE = 0.05


@dataclass(frozen=True)
class Stage:
    """One leg of the schedule: `width` of VGG16's channels, crops of `side` pixels, `steps` batches."""

    width: float
    side: int
    steps: int
    peak_rate: float
    final_rate: float = 0.0


@dataclass(frozen=True)
class Lesson:
    """What is learnt from: packed photographs, crops of them, and the teacher's answers to each crop."""

    pixels: np.ndarray
    plan: CropPlan
    answers: Answers
    held_out: int
    """So many crops at the end of the plan are never trained on, but measure agreement."""


def distil(
    lesson: Lesson, stages: list[Stage], start: dict[str, np.ndarray], out: Path, batch: int = 64, seed: int = 0
) -> dict[str, np.ndarray]:
    """Run every stage and return the final student weights; progress goes to `out/log.jsonl`."""
    out.mkdir(parents=True, exist_ok=True)
    weights = start
    for number, stage in enumerate(stages):
        finished = out / f"stage{number}.safetensors"
        if finished.exists():
            weights = load_file(finished)
            continue
        if weights and weights["block1_conv1/kernel"].shape[3] < int(64 * stage.width):
            weights = widen(weights, TWIN_NOISE, seed)
        weights = _run_stage(lesson, stage, number, weights, out, batch, seed)
        _save(weights, finished)
    return weights


def _run_stage(
    lesson: Lesson, stage: Stage, number: int, start: dict[str, np.ndarray], out: Path, batch: int, seed: int
) -> dict[str, np.ndarray]:
    student = _compiled(stage)
    if start:
        set_weights(student, start)
    checkpoint = out / f"stage{number}.partial.safetensors"
    done = _resume(student, checkpoint)
    saved = time.monotonic()
    bar = tqdm(total=stage.steps, initial=done, desc=f"stage {number}: {stage.side} px", unit="batch")
    losses: list[float] = []
    for pictures, targets in _batches(lesson, stage, number, done, batch, seed):
        losses.append(float(student.train_on_batch(pictures, targets)[0]))
        done += 1
        bar.update()
        if time.monotonic() - saved > CHECKPOINT_SECONDS or done == stage.steps:
            _save({**get_weights(student), **_optimizer_state(student), "step": np.asarray(done)}, checkpoint)
            _log(out, {**asdict(stage), "stage": number, "step": done, "loss": np.mean(losses), **agreement(student, lesson, stage.side)})
            losses, saved = [], time.monotonic()
    bar.close()
    return get_weights(student)


def _compiled(stage: Stage) -> keras.Model:
    student = build_student(stage.width, stage.side)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, stage.steps, alpha=stage.final_rate / stage.peak_rate, warmup_target=stage.peak_rate, warmup_steps=300
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=5.0)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    student.compile(optimizer, loss=[pooled_loss, logits_loss], jit_compile=False)
    optimizer.build(student.trainable_variables)
    return student


def pooled_loss(teacher: keras.KerasTensor, student: keras.KerasTensor) -> keras.KerasTensor:
    """Weighted mean squared error between the pooled vectors, (batch,)."""
    return POOLED_WEIGHT * keras.ops.mean(keras.ops.square(teacher - student), axis=-1)


def logits_loss(teacher: keras.KerasTensor, student: keras.KerasTensor) -> keras.KerasTensor:
    """T^2 KL(teacher || student) at temperature T = 2, (batch,)."""
    taught = keras.ops.log_softmax(teacher / TEMPERATURE)
    learnt = keras.ops.log_softmax(student / TEMPERATURE)
    return TEMPERATURE**2 * keras.ops.sum(keras.ops.exp(taught) * (taught - learnt), axis=-1)


def agreement(student: keras.Model, lesson: Lesson, side: int) -> dict[str, float]:
    """Cosine of pooled vectors and top-1 agreement with the teacher on the held-out crops."""
    rows = np.arange(len(lesson.plan) - lesson.held_out, len(lesson.plan))
    pictures = np.stack([cut(lesson.pixels[lesson.plan.photograph[row]], lesson.plan.box[row], side) for row in rows])
    pooled, logits = student.predict(preprocess(pictures), batch_size=64, verbose=0)
    taught = lesson.answers.pooled[rows].astype(np.float32)
    cosine = np.sum(pooled * taught, 1) / (np.linalg.norm(pooled, axis=1) * np.linalg.norm(taught, axis=1) + 1e-9)
    same = logits.argmax(1) == lesson.answers.logits[rows].argmax(1)
    return {"cosine": float(cosine.mean()), "top1": float(same.mean())}


def _batches(
    lesson: Lesson, stage: Stage, number: int, first: int, batch: int, seed: int
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Yield batches `first` to `stage.steps`, cut ahead of the model in threads; each depends on its number alone."""

    def make(step: int) -> tuple[np.ndarray, list[np.ndarray]]:
        per_epoch = (len(lesson.plan) - lesson.held_out) // batch
        order = np.random.default_rng((seed, number, step // per_epoch)).permutation(per_epoch * batch)
        rows = order[(step % per_epoch) * batch : (step % per_epoch + 1) * batch]
        flips = np.random.default_rng((seed, number, step, 1)).random(batch) < 0.5
        pictures = [cut(lesson.pixels[lesson.plan.photograph[row]], lesson.plan.box[row], stage.side) for row in rows]
        flipped = [one[:, ::-1] if flip else one for one, flip in zip(pictures, flips, strict=True)]
        return preprocess(np.stack(flipped)), [lesson.answers.pooled[rows].astype("f4"), lesson.answers.logits[rows].astype("f4")]

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(make, step) for step in range(first, min(first + PREFETCH, stage.steps))]
        for step in range(first, stage.steps):
            ready = waiting.pop(0).result()
            if step + PREFETCH < stage.steps:
                waiting.append(pool.submit(make, step + PREFETCH))
            yield ready


def _optimizer_state(student: keras.Model) -> dict[str, np.ndarray]:
    return {f"optimizer/{index:03d}": np.asarray(one.numpy()) for index, one in enumerate(student.optimizer.variables)}


def _resume(student: keras.Model, checkpoint: Path) -> int:
    if not checkpoint.exists():
        return 0
    state = load_file(checkpoint)
    set_weights(student, state)
    for index, variable in enumerate(student.optimizer.variables):
        variable.assign(state[f"optimizer/{index:03d}"])
    return int(state["step"])


def _save(tensors: dict[str, np.ndarray], path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, temporary)
    os.replace(temporary, path)


def _log(out: Path, entry: dict[str, object]) -> None:
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps({key: float(value) if isinstance(value, np.floating) else value for key, value in entry.items()}) + "\n")
