"""The teachers' answers to a fixed crop plan, computed once and kept on disk."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from training.distillation.basis import COMPONENTS, Basis, fit_basis, load_basis, save_basis
from training.distillation.crops import CropPlan, cut_crops
from training.distillation.teacher import CELLS, INPUT_SIDE, LOGITS, POOLED, LiteTeachers, Teachers

CHUNK = 512
BATCH = 64
BASIS_CROPS = 1024
"""So many crops show in which directions the maps vary."""

_worker: dict[str, Any] = {}


@dataclass(frozen=True)
class Answers:
    """`logits` float16 (count, 1001), `pooled` float16 (count, 1280), `maps` int8 (count, 49, 128) in `basis`."""

    logits: np.ndarray
    pooled: np.ndarray
    maps: np.ndarray
    basis: Basis


@dataclass(frozen=True)
class _Job:
    """What a process needs to answer crops."""

    teachers: Sequence[Path]
    pixels: Path
    plan: CropPlan
    basis: Basis


def answer_crops(
    teachers: Sequence[Path], pixels_path: Path, plan: CropPlan, folder: Path, processes: int = 2
) -> Answers:
    """Ask the teachers about every crop of `plan`, chunk by chunk; a stopped run goes on where it was.

    TFLite files are run by their interpreter in several processes. Where one is `.safetensors`, Keras answers in
    batches. Raises RetroflexError when a teacher is no usable classifier.
    """
    opened = _open_teachers(teachers)  # Here, because a pool whose workers cannot start would start them for ever.
    folder.mkdir(parents=True, exist_ok=True)
    job = _Job(teachers, pixels_path, plan, _basis(opened, pixels_path, plan, folder / "basis.safetensors"))
    logits = _open(folder / "logits.npy", (len(plan), LOGITS), np.float16)
    pooled = _open(folder / "pooled.npy", (len(plan), POOLED), np.float16)
    maps = _open(folder / "maps.npy", (len(plan), CELLS, COMPONENTS), np.int8)
    done = _open(folder / "done.npy", (-(-len(plan) // CHUNK),), np.int8)
    waiting = [int(chunk) for chunk in np.flatnonzero(done == 0)]
    chunks = _answered_here(opened, job, waiting) if _has_keras(teachers) else _answered_apart(job, waiting, processes)
    for chunk, answers in tqdm(chunks, desc="teacher", total=len(waiting), unit="chunk", disable=not waiting):
        rows = _rows(chunk, plan)
        logits[rows], pooled[rows], maps[rows] = answers
        done[chunk] = 1
    return Answers(logits, pooled, maps, job.basis)


def _has_keras(teachers: Sequence[Path]) -> bool:
    return any(path.suffix != ".tflite" for path in teachers)


def _open_teachers(teachers: Sequence[Path]) -> Teachers:
    if not _has_keras(teachers):
        return LiteTeachers(teachers)
    from training.distillation.teacher_model import KerasTeachers  # The interpreter's processes do without Keras.

    return KerasTeachers(teachers)


def _basis(teachers: Teachers, pixels_path: Path, plan: CropPlan, path: Path) -> Basis:
    if not path.exists():
        pixels = np.load(pixels_path, mmap_mode="r")
        rows = np.arange(min(BASIS_CROPS, len(plan)))
        maps = [
            teachers.answer(cut_crops(pixels, plan.take(some), INPUT_SIDE))[1]
            for some in np.split(rows, range(BATCH, len(rows), BATCH))
        ]
        save_basis(fit_basis(np.concatenate(maps)), path)
    return load_basis(path)


def _open(path: Path, shape: tuple[int, ...], kind: type) -> np.ndarray:
    if path.exists():
        existing: np.ndarray = np.lib.format.open_memmap(path, mode="r+")
        if existing.shape == shape:
            return existing
    return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)


def _answered_here(teachers: Teachers, job: _Job, chunks: list[int]) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    pixels = np.load(job.pixels, mmap_mode="r")
    return ((chunk, _answer_chunk(teachers, pixels, job, chunk)) for chunk in chunks)


def _answered_apart(job: _Job, chunks: list[int], processes: int) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    if chunks:
        with multiprocessing.get_context("spawn").Pool(processes, _start_worker, (job,)) as pool:
            yield from pool.imap_unordered(_work, chunks)


def _start_worker(job: _Job) -> None:
    _worker.update(teachers=LiteTeachers(job.teachers), pixels=np.load(job.pixels, mmap_mode="r"), job=job)


def _work(chunk: int) -> tuple[int, tuple[np.ndarray, ...]]:
    return chunk, _answer_chunk(_worker["teachers"], _worker["pixels"], _worker["job"], chunk)


def _answer_chunk(teachers: Teachers, pixels: np.ndarray, job: _Job, chunk: int) -> tuple[np.ndarray, ...]:
    """Return float16 logits and pooled vectors and int8 maps of one chunk of the plan."""
    parts = []
    rows = np.arange(len(job.plan))[_rows(chunk, job.plan)]
    for some in np.split(rows, range(BATCH, len(rows), BATCH)):
        logits, maps = teachers.answer(cut_crops(pixels, job.plan.take(some), INPUT_SIDE))
        packed = job.basis.pack(job.basis.project(maps))
        parts.append((logits.astype(np.float16), maps.mean(axis=1).astype(np.float16), packed))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _rows(chunk: int, plan: CropPlan) -> slice:
    return slice(chunk * CHUNK, min((chunk + 1) * CHUNK, len(plan)))
