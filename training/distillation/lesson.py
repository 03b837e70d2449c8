"""What a distillation learns from, and in which stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.distillation.answers import Answers
from training.distillation.basis import Basis
from training.distillation.crops import CropPlan, cut_crops, plan_crops
from training.distillation.teacher import INPUT_SIDE, Teachers


@dataclass(frozen=True)
class Stage:
    """One leg of the schedule: `width` of VGG16's channels, crops of `side` pixels, `steps` batches.

    `mixup` blends every crop with another one; the teacher has to be at hand to answer the blend.
    """

    width: float
    side: int
    steps: int
    peak_rate: float
    final_rate: float = 0.0
    mixup: bool = False


@dataclass(frozen=True)
class Batch:
    """`pictures` RGB (n, side, side, 3) of 0 to 255, and what the teachers say of them, float32.

    `logits` (n, 1001), `pooled` (n, 1280), `maps` (n, 49, 128): the last map in the lesson's basis.
    """

    pictures: np.ndarray
    logits: np.ndarray
    pooled: np.ndarray
    maps: np.ndarray


class Lesson(Protocol):
    """Gives batches that depend on the stage's number and the step alone, so that a stopped run can go on."""

    @property
    def basis(self) -> Basis:
        """What the maps are written in."""

    def prepare(self, stage: Stage, number: int, step: int) -> Callable[[], Batch]:
        """Cut one batch, in any thread; what is returned is called in the main thread and gives the answers too."""

    def exam(self, side: int) -> Batch:
        """Crops that are never trained on, to measure agreement."""


@dataclass(frozen=True)
class AnsweredCrops:
    """Packed photographs, crops of them, and the teachers' answers to each crop."""

    pixels: np.ndarray
    plan: CropPlan
    answers: Answers

    def batch(self, rows: np.ndarray, side: int, flips: np.ndarray) -> Batch:
        """Cut `rows` of the plan, mirrored where `flips` is true; a mirrored picture has the mirrored map."""
        pictures = _cut(self.pixels, self.plan.take(rows), side, flips)
        maps = self.answers.basis.unpack(self.answers.maps[rows])
        size = int(maps.shape[1] ** 0.5)
        grids = maps.reshape(len(rows), size, size, -1)
        grids[flips] = grids[flips, :, ::-1]
        logits, pooled = (one[rows].astype(np.float32) for one in (self.answers.logits, self.answers.pooled))
        return Batch(pictures, logits, pooled, grids.reshape(maps.shape))


@dataclass(frozen=True)
class KeptLesson:
    """Learns from answers given beforehand, an epoch after the other; the last `held_out` crops are the exam."""

    crops: AnsweredCrops
    held_out: int
    batch: int
    seed: int

    @property
    def basis(self) -> Basis:
        """What the maps are written in."""
        return self.crops.answers.basis

    def prepare(self, stage: Stage, number: int, step: int) -> Callable[[], Batch]:
        """As `Lesson.prepare`."""
        per_epoch = (len(self.crops.plan) - self.held_out) // self.batch
        order = np.random.default_rng((self.seed, number, step // per_epoch)).permutation(per_epoch * self.batch)
        rows = order[(step % per_epoch) * self.batch :][: self.batch]
        batch = self.crops.batch(rows, stage.side, _flips((self.seed, number, step, 1), self.batch))
        return lambda: batch

    def exam(self, side: int) -> Batch:
        """As `Lesson.exam`."""
        rows = np.arange(len(self.crops.plan) - self.held_out, len(self.crops.plan))
        return self.crops.batch(rows, side, np.zeros(len(rows), bool))


@dataclass(frozen=True)
class LiveLesson:
    """Draws fresh crops at every step, by `weights` (photographs,), and asks `teachers`; `answered` is the exam."""

    answered: AnsweredCrops
    weights: np.ndarray
    teachers: Teachers
    batch: int
    seed: int

    @property
    def basis(self) -> Basis:
        """What the maps are written in."""
        return self.answered.answers.basis

    def prepare(self, stage: Stage, number: int, step: int) -> Callable[[], Batch]:
        """As `Lesson.prepare`; student and teachers see the same crops, each at its own size."""
        key = (self.seed, number, step)
        plan = plan_crops(self.weights, self.answered.pixels.shape[1], self.batch, key)
        flips = _flips((*key, 1), self.batch)
        seen = [_cut(self.answered.pixels, plan, side, flips) for side in (stage.side, INPUT_SIDE)]
        if stage.mixup:
            seen = [mix(pictures, (*key, 2)) for pictures in seen]
        return lambda: self._ask(*seen)

    def exam(self, side: int) -> Batch:
        """As `Lesson.exam`."""
        rows = np.arange(len(self.answered.plan))
        return self.answered.batch(rows, side, np.zeros(len(rows), bool))

    def _ask(self, pictures: np.ndarray, shown: np.ndarray) -> Batch:
        logits, maps = self.teachers.answer(shown)
        return Batch(pictures, logits, maps.mean(axis=1), self.basis.project(maps))


def mix(pictures: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
    """Blend each picture with another of the batch, float32, by uniform shares (mixup, as in Beyer et al. 2022)."""
    random = np.random.default_rng(key)
    share = random.random((len(pictures), 1, 1, 1), np.float32)
    return share * pictures + (1 - share) * pictures[random.permutation(len(pictures))]


def _cut(pixels: np.ndarray, plan: CropPlan, side: int, flips: np.ndarray) -> np.ndarray:
    """Return every crop of `plan`, uint8 (n, side, side, 3), mirrored where `flips` is true."""
    pictures = cut_crops(pixels, plan, side)
    pictures[flips] = pictures[flips, :, ::-1]
    return pictures


def _flips(key: tuple[int, ...], count: int) -> np.ndarray:
    flips: np.ndarray = np.random.default_rng(key).random(count) < 0.5
    return flips
