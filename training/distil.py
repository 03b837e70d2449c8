"""Teach a VGG16 to agree with an ImageNet classifier on crops of unlabelled photographs.

Loss: 2 KL(teacher || student) (Hinton et al. 2015) + 8 MSE on the pooled vector, the two about equal in
size. The temperature is 1: the teacher was trained with smoothed labels and is soft enough as it is. Stages
learn small and grow: a later stage may double the width (see `student.widen`) or enlarge the crops. A run
stopped at any instant goes on from its last checkpoint and sees the same batches in the same order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load_file
from tqdm import tqdm

from captioner.vgg16 import preprocess
from training.crops import cut
from training.lesson import Lesson, Stage
from training.state import restore_state, save_state, save_tensors
from training.student import build_student, get_weights, set_weights, widen

LOGITS_WEIGHT = 2.0
POOLED_WEIGHT = 8.0
CHECKPOINT_SECONDS = 120.0
PREFETCH = 6
TWIN_NOISE = 0.05


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
        save_tensors(weights, finished)
    return weights


def _run_stage(
    lesson: Lesson, stage: Stage, number: int, start: dict[str, np.ndarray], out: Path, batch: int, seed: int
) -> dict[str, np.ndarray]:
    student = _compiled(stage)
    if start:
        set_weights(student, start)
    checkpoint = out / f"stage{number}.partial.safetensors"
    done = restore_state(student, checkpoint)
    saved = time.monotonic()
    bar = tqdm(total=stage.steps, initial=done, desc=f"stage {number}: {stage.side} px", unit="batch")
    losses: list[float] = []
    for pictures, targets in _batches(lesson, stage, number, done, batch, seed):
        losses.append(float(student.train_on_batch(pictures, targets)[0]))
        done += 1
        bar.update()
        if time.monotonic() - saved > CHECKPOINT_SECONDS or done == stage.steps:
            save_state(student, done, checkpoint)
            progress = {"stage": number, "step": done, "loss": float(np.mean(losses))}
            _log(out, {**asdict(stage), **progress, **agreement(student, lesson, stage.side)})
            losses, saved = [], time.monotonic()
    bar.close()
    return get_weights(student)


def _compiled(stage: Stage) -> keras.Model:
    student = build_student(stage.width, stage.side)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        stage.steps,
        alpha=stage.final_rate / stage.peak_rate,
        warmup_target=stage.peak_rate,
        warmup_steps=min(300, stage.steps // 10),
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
    """Weighted KL(teacher || student), (batch,)."""
    taught = keras.ops.log_softmax(teacher)
    learnt = keras.ops.log_softmax(student)
    return LOGITS_WEIGHT * keras.ops.sum(keras.ops.exp(taught) * (taught - learnt), axis=-1)


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
        return preprocess(np.stack(flipped)), [
            lesson.answers.pooled[rows].astype("f4"),
            lesson.answers.logits[rows].astype("f4"),
        ]

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(make, step) for step in range(first, min(first + PREFETCH, stage.steps))]
        for step in range(first, stage.steps):
            ready = waiting.pop(0).result()
            if step + PREFETCH < stage.steps:
                waiting.append(pool.submit(make, step + PREFETCH))
            yield ready


def _log(out: Path, entry: dict[str, object]) -> None:
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(entry) + "\n")
