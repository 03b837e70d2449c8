"""`retroflex distil`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import click
import numpy as np

from captioner.encoder import EncoderConfig, Precision, assign, best_precision, build_vgg16
from captioner.quiet import load_keras
from captioner.twins import double
from captioner.vgg16 import BLOCKS, FIRST
from data.errors import RetroflexError
from training.distillation.answers import answer_crops
from training.distillation.crops import plan_crops
from training.distillation.lesson import AnsweredCrops, KeptLesson, Lesson, LiveLesson, Stage
from training.distillation.photographs import SIDE, Photographs, pack_photographs

HELD_OUT = 1024
BATCH = 64
MIXUP = "mixup"
WIDTHS = (1, 0.5, 0.25)
DEFAULT_STAGES = ("0.5:80:3000:0.0015:0.0006", "0.5:112:4000:0.0008:0.0003", "1:112:800:0.0003:0.000001")


@click.command()
@click.option("--photos", multiple=True, required=True, help="PATH:SHARE of a folder, tar file or Flickr8k data set.")
@click.option(
    "--teacher",
    "teachers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    required=True,
    help="MobileNetV2 as .tflite or .safetensors; of several, probabilities are averaged.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where caches, checkpoints and weights go.")
@click.option(
    "--start",
    multiple=True,
    help="bundled, a Keras VGG16 file, or a student (.safetensors, .npz); a later one gives what is lacking.",
)
@click.option("--live", is_flag=True, help="Fresh crops at every step, answered as they come: for a GPU.")
@click.option(
    "--crops", type=click.IntRange(2 * HELD_OUT), default=190_464, show_default=True, help="To plan without --live."
)
@click.option(
    "--stage", "stages", multiple=True, default=DEFAULT_STAGES, help="WIDTH:SIDE:STEPS:RATE:LAST_RATE[:mixup]."
)
@click.option("--temperature", type=click.FloatRange(0.1, 20), default=1.0, show_default=True, help="Of the KL loss.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def distil(
    photos: tuple[str, ...],
    teachers: tuple[Path, ...],
    out: Path,
    start: tuple[str, ...],
    live: bool,
    crops: int,
    stages: tuple[str, ...],
    temperature: float,
    seed: int,
) -> None:
    """Teach a VGG16 to agree with TEACHER on photographs; the same command goes on with a stopped run."""
    load_keras()
    import keras

    from training.distillation.distil import distil as run_distil
    from training.distillation.surgery import fold

    schedule = _schedule(stages, live)
    _check_runtime(teachers)
    sources = [_source(text) for text in photos]
    keras.mixed_precision.set_global_policy(_precision())
    packed = pack_photographs(sources, out)
    lesson = _live_lesson(packed, teachers, out, seed) if live else _kept_lesson(packed, teachers, out, crops, seed)
    weights = run_distil(lesson, schedule, start, out, seed, temperature)
    target = out / "vgg16.weights.h5"
    plain = build_vgg16(EncoderConfig(layer="block5_pool"), "float32")
    assign(plain, _full(fold(weights)))
    plain.save_weights(target)
    click.echo(f"encoder: {target}")


def _full(plain: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Double a narrower VGG16 until it is a VGG16; its channels are exact twins then, and a bundle keeps it narrow."""
    while len(plain[f"{FIRST}/bias"]) < BLOCKS[0][1]:
        plain = double(plain)
    return plain


def _precision() -> Precision:
    """bfloat16 where it is quick: on a GPU, and by TensorFlow on a processor made for it."""
    import keras

    place = str(keras.ops.ones(1).device).lower()
    if "gpu" in place or "cuda" in place:
        return "mixed_bfloat16"
    return best_precision() if keras.backend.backend() == "tensorflow" else "float32"


def _check_runtime(teachers: Sequence[Path]) -> None:
    if any(one.suffix == ".tflite" for one in teachers) and importlib.util.find_spec("ai_edge_litert") is None:
        raise RetroflexError(
            "--teacher: .tflite files need ai-edge-litert (pip install '.[distil]'); "
            "a .safetensors that training.distillation.tflite made elsewhere does not"
        )


def _kept_lesson(packed: Photographs, teachers: Sequence[Path], out: Path, crops: int, seed: int) -> Lesson:
    return KeptLesson(_answered(packed, teachers, out, crops, seed), HELD_OUT, BATCH, seed)


def _live_lesson(packed: Photographs, teachers: Sequence[Path], out: Path, seed: int) -> Lesson:
    from training.distillation.teacher_model import KerasTeachers

    exam = _answered(packed, teachers, out, HELD_OUT, seed)
    return LiveLesson(exam, packed.weights, KerasTeachers(teachers), BATCH, seed)


def _answered(packed: Photographs, teachers: Sequence[Path], out: Path, crops: int, seed: int) -> AnsweredCrops:
    plan = plan_crops(packed.weights, SIDE, crops, seed)
    digests = [hashlib.sha256(teacher.read_bytes()).hexdigest() for teacher in teachers]
    key = json.dumps([digests, crops, seed, len(packed.pixels)])
    folder = out / f"answers-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    return AnsweredCrops(packed.pixels, plan, answer_crops(teachers, out / "photographs.npy", plan, folder))


def _source(text: str) -> tuple[Path, float]:
    path, _, share = text.rpartition(":")
    try:
        source, weight = Path(path), float(share)
    except ValueError as error:
        raise RetroflexError(f"--photos {text}: give PATH:SHARE, such as pictures.tar:0.4") from error
    if not source.exists():
        raise RetroflexError(f"--photos {text}: no such file or folder: {source}")
    return source, weight


def _schedule(texts: Sequence[str], live: bool) -> list[Stage]:
    """Read every stage. Raises RetroflexError where they do not follow from one another."""
    stages = [_stage(text) for text in texts]
    for before, after in pairwise(stages):
        if after.width not in (before.width, 2 * before.width):
            raise RetroflexError(f"--stage: width {after.width:g} after {before.width:g}; a width stays or doubles")
    if stages[-1].width not in WIDTHS:
        widths = ", ".join(f"{width:g}" for width in WIDTHS)
        raise RetroflexError(f"the last --stage must have a width of {widths}, or its encoder cannot become a VGG16")
    if any(stage.mixup for stage in stages) and not live:
        raise RetroflexError(f"--stage ...:{MIXUP} needs --live: kept answers are to single crops")
    return stages


def _stage(text: str) -> Stage:
    try:
        width, side, steps, rate, last, *more = text.split(":")
        if more not in ([], [MIXUP]):
            raise ValueError
        return Stage(float(width), int(side), int(steps), float(rate), float(last), mixup=bool(more))
    except ValueError as error:
        raise RetroflexError(
            f"--stage {text}: give WIDTH:SIDE:STEPS:RATE:LAST_RATE[:{MIXUP}], such as 1:112:800:3e-4:1e-6"
        ) from error
