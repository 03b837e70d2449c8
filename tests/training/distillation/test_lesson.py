"""Batches depend on seed, stage and step alone; what is done to a picture is done to its answers."""

from __future__ import annotations

import numpy as np

from tests.training.lessons import noise_crops, noise_lesson
from training.distillation.lesson import Batch, LiveLesson, Stage, mix

STAGE = Stage(1 / 32, 32, 10, 1e-3)


class Recorder:
    """Answers nothing, and keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []

    def answer(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.shown.append(pictures)
        return np.zeros((len(pictures), 1001), np.float32), np.zeros((len(pictures), 49, 1280), np.float32)


def same(one: Batch, other: Batch) -> bool:
    return np.array_equal(one.pictures, other.pictures)


def test_batches_depend_on_the_seed_and_the_step() -> None:
    first = noise_lesson(seed=0).prepare(STAGE, 0, 3)()
    assert same(first, noise_lesson(seed=0).prepare(STAGE, 0, 3)())
    for other in (noise_lesson(seed=1).prepare(STAGE, 0, 3), noise_lesson(seed=0).prepare(STAGE, 1, 3)):
        assert not same(first, other())


def test_the_exam_is_never_taught() -> None:
    lesson = noise_lesson()
    exam = {one.tobytes() for one in lesson.exam(32).pooled}
    taught = {one.tobytes() for step in range(8) for one in lesson.prepare(STAGE, 0, step)().pooled}
    assert len(taught) == 32
    assert not exam & taught


def test_a_mirrored_crop_has_the_mirrored_map() -> None:
    crops = noise_crops(4)
    rows = np.arange(4)
    plain = crops.batch(rows, 32, np.zeros(4, bool))
    turned = crops.batch(rows, 32, np.array([False, True, False, False]))
    assert np.array_equal(turned.pictures[1], plain.pictures[1, :, ::-1])
    assert np.array_equal(turned.maps[1].reshape(7, 7, -1), plain.maps[1].reshape(7, 7, -1)[:, ::-1])
    assert np.array_equal(turned.maps[0], plain.maps[0])
    assert np.array_equal(turned.logits, plain.logits)


def test_live_crops_are_fresh_and_student_and_teacher_see_the_same() -> None:
    recorder = Recorder()
    lesson = LiveLesson(noise_crops(8), np.full(6, 1 / 6), recorder, batch=8, seed=0)
    first, again, other = (lesson.prepare(STAGE, 0, step)() for step in (2, 2, 3))
    assert same(first, again)
    assert not same(first, other)
    shown = recorder.shown[0]
    assert shown.shape == (8, 224, 224, 3)
    shrunk = shown.reshape(8, 32, 7, 32, 7, 3).mean((2, 4))
    assert np.corrcoef(shrunk.ravel(), first.pictures.ravel())[0, 1] > 0.9


def test_mixup_blends_what_both_see_alike() -> None:
    recorder = Recorder()
    lesson = LiveLesson(noise_crops(8), np.full(6, 1 / 6), recorder, batch=8, seed=0)
    batch = lesson.prepare(Stage(1 / 32, 32, 10, 1e-3, mixup=True), 0, 0)()
    shrunk = recorder.shown[0].reshape(8, 32, 7, 32, 7, 3).mean((2, 4))
    assert np.corrcoef(shrunk.ravel(), batch.pictures.ravel())[0, 1] > 0.9


def test_a_blend_lies_between_its_two_pictures() -> None:
    pictures = np.stack([np.full((2, 2, 3), value, np.uint8) for value in (0, 100, 200)])
    blended = mix(pictures, (1, 2))
    assert blended.dtype == np.float32
    assert blended.min() >= 0
    assert blended.max() <= 200
    assert np.array_equal(blended, mix(pictures, (1, 2)))
