"""A tiny lesson of noise, for a student a thirty-second as wide as VGG16."""

from __future__ import annotations

import numpy as np

from training.distillation.answers import Answers
from training.distillation.basis import COMPONENTS, fit_basis
from training.distillation.crops import plan_crops
from training.distillation.lesson import AnsweredCrops, KeptLesson
from training.distillation.teacher import CELLS, LOGITS, POOLED


def noise_crops(count: int) -> AnsweredCrops:
    """Crops of noise with random answers."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (6, 40, 40, 3)).astype(np.uint8)
    logits = random.normal(size=(count, LOGITS)).astype(np.float16)
    pooled = random.random((count, POOLED)).astype(np.float16)
    maps = random.integers(-127, 128, (count, CELLS, COMPONENTS)).astype(np.int8)
    answers = Answers(logits, pooled, maps, fit_basis(random.random((4, CELLS, POOLED), np.float32)))
    return AnsweredCrops(pixels, plan_crops(np.full(6, 1 / 6), 40, count, seed=0), answers)


def noise_lesson(batch: int = 8, seed: int = 0) -> KeptLesson:
    """Thirty-two crops of noise to learn from and eight to be examined by."""
    return KeptLesson(noise_crops(40), held_out=8, batch=batch, seed=seed)
