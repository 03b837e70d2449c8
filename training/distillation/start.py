"""Where a student's first weights come from."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from captioner.bundle import BUNDLED, load_bundle
from captioner.encoder import load_vgg16_weights
from captioner.vgg16 import CONVOLUTIONS, FIRST, preprocess
from data.errors import RetroflexError
from training.distillation.lesson import Lesson, Stage
from training.distillation.student import build_student, get_weights
from training.distillation.surgery import Weights, collapse, fold, from_rgb_unit, unfold, widen

STATISTICS = 64
"""So many pictures show a plain VGG16's statistics; training takes those of each batch."""


def head_start(sources: Sequence[str], stage: Stage, lesson: Lesson, seed: int) -> Weights:
    """Return every weight of the first stage's student: of the first source that has it, else at random.

    A source is `bundled` or a Keras VGG16 file, a student's `.safetensors`, or an `.npz` of a student for RGB
    input; it is halved or doubled until it has the stage's width. Raises RetroflexError.
    """
    random.seed(seed)  # Keras' initialisers draw their seeds here; keras.utils.set_random_seed imports TensorFlow too.
    weights = get_weights(build_student(stage.width, stage.side, lesson.basis))
    for source in reversed(sources):
        found = _of_width(_load(source), weights[f"{FIRST}/kernel"].shape[-1], stage, lesson, seed)
        for name in weights.keys() & found.keys():
            if found[name].shape != weights[name].shape:
                raise RetroflexError(f"--start {source}: {name} is {found[name].shape}, not {weights[name].shape}")
            weights[name] = found[name]
    return weights


def _load(source: str) -> Weights:
    """Read one source: a student's weights, or those of a plain VGG16."""
    if source == "bundled":
        return dict(load_bundle(BUNDLED).encoder_weights)
    suffix = Path(source).suffix
    try:
        if suffix == ".npz":
            with np.load(source, allow_pickle=False) as arrays:
                weights = from_rgb_unit({name: arrays[name].astype(np.float32) for name in arrays.files})
        else:
            weights = load_file(source) if suffix == ".safetensors" else load_vgg16_weights(source)
        missing = [name for name in CONVOLUTIONS if f"{name}/kernel" not in weights]
    except (OSError, SafetensorError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise RetroflexError(f"--start {source}: not the weights of a VGG16 or of a student") from error
    if missing:
        raise RetroflexError(f"--start {source}: has no {missing[0]}, so it is no VGG16 and no student")
    return weights


def _of_width(weights: Weights, channels: int, stage: Stage, lesson: Lesson, seed: int) -> Weights:
    """Bring a student or a plain VGG16 to a student whose first convolution has `channels` channels."""
    plain = weights if f"{FIRST}/bias" in weights else None
    heads = {name: value for name, value in weights.items() if not name.startswith("block")}
    if weights[f"{FIRST}/kernel"].shape[-1] > channels:
        plain = plain or fold(weights)
    while plain and plain[f"{FIRST}/kernel"].shape[-1] > channels:
        plain = collapse(plain)
        if "fc/kernel" in heads:
            heads["fc/kernel"] = np.sum(np.split(heads["fc/kernel"], 2), axis=0)
    if plain:
        pictures = lesson.exam(stage.side).pictures[:STATISTICS]
        weights = {**unfold(plain, preprocess(pictures)), **heads}
    while weights[f"{FIRST}/kernel"].shape[-1] < channels:
        weights = widen(weights, seed)
    return weights
