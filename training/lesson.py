"""What a distillation learns from, and in which stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.crops import CropPlan
from training.teacher import Answers


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
