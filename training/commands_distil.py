"""`retroflex distil`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import click
import numpy as np

from captioner.encoder import EncoderConfig, assign, best_precision, build_vgg16
from captioner.quiet import load_keras
from data.errors import RetroflexError
from training.crops import plan_crops
from training.lesson import Lesson, Stage
from training.photographs import SIDE, Photographs, pack_photographs
from training.teacher import Answers, answer_crops

HELD_OUT = 1024
DEFAULT_STAGES = ("0.5:80:3000:0.0015:0.0006", "0.5:112:4000:0.0008:0.0003", "1:112:800:0.0003:0.000001")


@click.command()
@click.option("--photos", multiple=True, required=True, help="PATH:SHARE of a folder, tar file or Flickr8k data set.")
@click.option("--teacher", type=click.Path(path_type=Path, exists=True), required=True, help="TFLite classifier.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where caches, checkpoints and weights go.")
@click.option("--start", type=click.Path(path_type=Path, exists=True), help="Head start: .npz of a narrower student.")
@click.option("--crops", type=click.IntRange(2 * HELD_OUT), default=190_464, show_default=True, help="Crops to plan.")
@click.option("--stage", "stages", multiple=True, default=DEFAULT_STAGES, help="WIDTH:SIDE:STEPS:RATE:LAST_RATE.")
@click.option("--seed", type=int, default=1, show_default=True)
def distil(
    photos: tuple[str, ...],
    teacher: Path,
    out: Path,
    start: Path | None,
    crops: int,
    stages: tuple[str, ...],
    seed: int,
) -> None:
    """Teach a VGG16 to agree with TEACHER on photographs; the same command goes on with a stopped run."""
    load_keras()
    import keras

    from training.distil import distil as run_distil
    from training.student import fold, from_rgb_unit

    schedule = [_stage(text) for text in stages]
    if schedule[-1].width != 1:
        raise RetroflexError("the last --stage must have width 1, or its encoder is no VGG16")
    keras.mixed_precision.set_global_policy(best_precision())
    packed = pack_photographs([_source(text) for text in photos], out)
    lesson = _lesson(packed, teacher, out, crops, seed)
    head_start = from_rgb_unit(dict(np.load(start, allow_pickle=False))) if start else {}
    weights = run_distil(lesson, schedule, head_start, out)
    target = out / "vgg16.weights.h5"
    plain = build_vgg16(EncoderConfig(layer="block5_pool"), "float32")
    assign(plain, fold(weights))
    plain.save_weights(target)
    click.echo(f"encoder: {target}")


def _lesson(packed: Photographs, teacher: Path, out: Path, crops: int, seed: int) -> Lesson:
    plan = plan_crops(packed.weights, SIDE, crops, seed)
    key = json.dumps([hashlib.sha256(teacher.read_bytes()).hexdigest(), crops, seed, len(packed.pixels)])
    folder = out / f"answers-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    answers = answer_crops(teacher, out / "photographs.npy", plan, folder)
    return Lesson(packed.pixels, plan, Answers(np.asarray(answers.logits), np.asarray(answers.pooled)), HELD_OUT)


def _source(text: str) -> tuple[Path, float]:
    path, _, share = text.rpartition(":")
    try:
        source, weight = Path(path), float(share)
    except ValueError as error:
        raise RetroflexError(f"--photos {text}: give PATH:SHARE, such as pictures.tar:0.4") from error
    if not source.exists():
        raise RetroflexError(f"--photos {text}: no such file or folder: {source}")
    return source, weight


def _stage(text: str) -> Stage:
    try:
        width, side, steps, rate, last = text.split(":")
        return Stage(float(width), int(side), int(steps), float(rate), float(last))
    except ValueError as error:
        raise RetroflexError(
            f"--stage {text}: give WIDTH:SIDE:STEPS:RATE:LAST_RATE, such as 1:112:800:3e-4:1e-6"
        ) from error
