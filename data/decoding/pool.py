"""Child processes that decode picture files, with limits on their number, time and memory.

A file on which a decoder hangs, crashes or takes all memory costs only that picture: its process is ended and replaced.
`data.decoding.child` is one of them as seen from here, `data.decoding.worker` what runs in it.
"""

from __future__ import annotations

import logging
import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from data.decoding.budget import MEMORY, Busy, MemoryBudget
from data.decoding.child import Child, Ended, LacksMemory, Work
from data.decoding.orders import Decoded, Job, Order, make
from data.decoding.ordinary import is_ordinary
from data.errors import PictureDamaged, PictureUnreadable
from data.limits import DEFAULT_LIMITS, Limits
from data.pictures import read_bytes

_log = logging.getLogger(__name__)
T = TypeVar("T")

PROCESSES = 2
"""Pictures decoded at once by one process; a child takes 40 MB while it has nothing to do."""
SECONDS = 4.0
"""Processor time for a picture of no size; `data.decoding.worker` adds to it by pixels."""
PATIENCE = 20.0
"""Seconds that a client of the server waits for a free process or for memory."""
ATTEMPTS = 2
CRASHES = frozenset(-number for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL))
"""Exit codes of a process that ended by a fault of its own, and not because somebody killed it."""


class DecoderUnavailable(PictureUnreadable):
    """The picture cannot be decoded now, and nothing says that the file is at fault: try again."""


class Decoders:
    """A pool of child processes, started when needed; several threads may use it at once."""

    def __init__(
        self,
        processes: int = PROCESSES,
        seconds: float = SECONDS,
        budget: MemoryBudget | None = None,
        module: str = "data.decoding.worker",
    ) -> None:
        """Decode at most `processes` files at a time; a picture of no size may take `seconds` of processor time.

        `module` is what the children run.
        """
        self._module = module
        self._seconds, self._budget = seconds, budget or MemoryBudget()
        self._free: queue.LifoQueue[Child | None] = queue.LifoQueue()
        for _ in range(processes):
            self._free.put(None)

    def decode(self, content: bytes, order: Order, limits: Limits, patience: float | None = PATIENCE) -> Decoded:
        """Make in a child what was ordered of a picture file's bytes.

        A child that is killed is replaced once. Raises a PictureError: DecoderUnavailable if two children ended, none
        can be started, or none and not enough memory is free after `patience` seconds (None: wait without end).
        """
        return self.do(Job(order, limits, self._seconds, content), patience)

    def do(self, job: Work[T], patience: float | None = PATIENCE) -> T:
        """Let a child do a job, as `decode` does. Raises a PictureError."""
        codes = []
        for _ in range(ATTEMPTS):
            try:
                return self._attempt(job, patience)
            except Ended as ended:
                _log.error("a process that decodes pictures ended %s", ended)
                codes.append(ended.code)
            except (Busy, queue.Empty):
                raise DecoderUnavailable("cannot be read now: too many pictures are being read; try again") from None
            except OSError as error:
                _log.error("no process that decodes pictures can be started: %s", error)
        if codes and set(codes) <= CRASHES:
            raise PictureDamaged("is damaged: decoding it crashes")
        raise DecoderUnavailable("cannot be read now: its decoder ended or did not start; try again")

    def _attempt(self, job: Work[T], patience: float | None) -> T:
        try:
            with self._child(patience) as child:
                return child.decode(job, self._budget, patience, self._end_idle)
        except LacksMemory:
            with self._child(patience) as child:
                return child.decode(job, self._budget, patience, self._end_idle, MEMORY)

    def _end_idle(self) -> None:
        """End the processes that have nothing to do; each keeps 40 MB."""
        idle = list[Child | None]()
        with suppress(queue.Empty):
            while True:
                idle.append(self._free.get_nowait())
        for child in idle:
            self._free.put(None)
            if child is not None:
                child.end()

    @contextmanager
    def _child(self, patience: float | None) -> Iterator[Child]:
        """Yield a free process. Raises queue.Empty, or Ended or OSError if it does not start."""
        child = self._free.get(timeout=patience)
        try:
            if child is None or not child.usable:
                child = Child(self._module)
            yield child
        finally:
            self._free.put(child if child and child.usable else None)


DECODERS = Decoders()
"""The children of this process."""


def decode_bounded(content: bytes, order: Order, limits: Limits = DEFAULT_LIMITS, bulk: bool = False) -> Decoded:
    """Make what was ordered of a picture file's bytes, in bounded time and memory.

    An ordinary file is decoded in this process, `bulk` as in `data.pictures.decode`; all others in a child. Raises a
    PictureError.
    """
    if is_ordinary(content, order.min_side):
        return make(content, order, limits, bulk)
    return DECODERS.decode(content, order, limits, patience=None)


def read_square(path: Path, side: int, limits: Limits = DEFAULT_LIMITS) -> np.ndarray:
    """Return the picture file at `path` as an encoder takes it, uint8 (side, side, 3). Raises a PictureError."""
    return cast(np.ndarray, decode_bounded(read_bytes(path, limits), Order(square=side), limits).square)
