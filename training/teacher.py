"""A quantised ImageNet classifier whose answers the encoder learns to give.

The teacher is a training aid only: a TFLite MobileNetV2 with 224 x 224 uint8 input. Its answers to a
fixed crop plan are computed once, in several processes, and kept on disk.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data.errors import RetroflexError
from training.crops import CropPlan, cut

INPUT_SIDE = 224
LOGITS = 1001
POOLED = 1280
CHUNK = 1024

_worker: dict[str, Any] = {}


class Teacher:
    """Runs one TFLite classifier and reads its logits and its pooled vector."""

    def __init__(self, path: Path) -> None:
        """Raises RetroflexError when the file is no such classifier."""
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(str(path), num_threads=1, experimental_preserve_all_tensors=True)
            self._interpreter.allocate_tensors()
            self._input = self._interpreter.get_input_details()[0]["index"]
            details = self._interpreter.get_tensor_details()
            # The softmax repeats the logits' shape; its scale of 1/256 tells it apart.
            self._logits = _last(details, LOGITS, lambda scale: scale > 1 / 200)
            self._pooled = _last(details, POOLED, lambda scale: scale > 0)
        except (ValueError, RuntimeError, IndexError) as error:
            raise RetroflexError(f"teacher {path} is no TFLite ImageNet classifier of the MobileNetV2 kind") from error

    def answer(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (logits, pooled), float32 of shapes (1001,) and (1280,), for a uint8 (224, 224, 3) RGB picture."""
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()
        return self._read(self._logits), self._read(self._pooled)

    def _read(self, detail: dict[str, Any]) -> np.ndarray:
        scale, zero = detail["quantization"]
        return (self._interpreter.get_tensor(detail["index"]).reshape(-1).astype(np.float32) - zero) * scale


def _last(details: list[dict[str, Any]], size: int, accept: Any) -> dict[str, Any]:
    fits = [one for one in details if np.prod(one["shape"]) == size and one["dtype"] in (np.uint8, np.int8)]
    return [one for one in fits if accept(one["quantization"][0])][-1]


@dataclass(frozen=True)
class Answers:
    """The teacher's answers to a crop plan, float16: `logits` (count, 1001) and `pooled` (count, 1280)."""

    logits: np.ndarray
    pooled: np.ndarray


def answer_crops(teacher: Path, pixels_path: Path, plan: CropPlan, folder: Path, processes: int = 2) -> Answers:
    """Ask the teacher about every crop of `plan`, chunk by chunk; a stopped run goes on where it was.

    Raises RetroflexError when `teacher` is no usable classifier.
    """
    Teacher(teacher)  # Here, because a pool whose workers cannot start would start them for ever.
    folder.mkdir(parents=True, exist_ok=True)
    logits = _open(folder / "logits.npy", (len(plan), LOGITS))
    pooled = _open(folder / "pooled.npy", (len(plan), POOLED))
    done = _open(folder / "done.npy", (-(-len(plan) // CHUNK),))
    waiting = [int(chunk) for chunk in np.flatnonzero(done == 0)]
    context = multiprocessing.get_context("spawn")
    if waiting:
        with context.Pool(processes, _start_worker, (teacher, pixels_path, plan)) as pool:
            chunks = pool.imap_unordered(_answer_chunk, waiting)
            for chunk, chunk_logits, chunk_pooled in tqdm(chunks, desc="teacher", total=len(waiting), unit="chunk"):
                rows = slice(chunk * CHUNK, chunk * CHUNK + len(chunk_logits))
                logits[rows], pooled[rows] = chunk_logits, chunk_pooled
                done[chunk] = 1
    return Answers(logits, pooled)


def _open(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    if path.exists():
        existing: np.ndarray = np.lib.format.open_memmap(path, mode="r+")
        if existing.shape == shape:
            return existing
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)


def _start_worker(teacher: Path, pixels_path: Path, plan: CropPlan) -> None:
    _worker.update(teacher=Teacher(teacher), pixels=np.load(pixels_path, mmap_mode="r"), plan=plan)


def _answer_chunk(chunk: int) -> tuple[int, np.ndarray, np.ndarray]:
    plan, pixels = _worker["plan"], _worker["pixels"]
    rows = range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(plan)))
    answers = [_worker["teacher"].answer(cut(pixels[plan.photograph[row]], plan.box[row], INPUT_SIDE)) for row in rows]
    return (
        chunk,
        np.stack([logits for logits, _ in answers]).astype(np.float16),
        np.stack([pooled for _, pooled in answers]).astype(np.float16),
    )
