"""The describing pipeline on the machines of a Ray cluster.

    files -> [worker: hash] -> [here: choose, by the store] -> [worker: decode, encode, caption] -> [here: write]

Workers get paths and read the files themselves. Results are named by digest, so a task that is done again does no harm.
Where a worker ends, each of its tasks is done again, alone on a worker, so that it is known which one ends it; such a
task is cut in pieces until a single file remains, which is left out after a few tries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

from captioner.cluster.connection import Cluster
from captioner.cluster.pool import AHEAD, Ended, Finished, RemoteWorker, WorkerPool
from captioner.cluster.worker import FileDescribed, identity_of
from captioner.pipeline import Described, Flow
from captioner.reading import Decoding, FileReader, Identified, Load, Reading
from captioner.types import StagedDescriber
from data.errors import PictureDamaged, PictureUnreadable, RetroflexError
from data.paths import display
from data.scan import FoundFile

T = TypeVar("T")

TRIES = 3
"""Workers that end with a file alone, until it is left out."""
PIECES = 8
"""Into which files are cut when a worker has ended with them alone."""
_numbers = count()


@dataclass(eq=False)
class _Task:
    """Files to identify, or else those of them that are decoded and described; `alone` on a worker, as one may end it.

    `deaths` counts the workers that ended with its only file.
    """

    files: Sequence[FoundFile] = ()
    decodings: Sequence[Decoding] = ()
    alone: bool = False
    deaths: int = 0

    def __post_init__(self) -> None:
        self.number = next(_numbers)

    def again(self) -> list[_Task]:
        """Return what is to be tried after a worker has ended with this."""
        size = len(self.files or self.decodings)
        if not self.alone or size == 1:
            return [_Task(self.files, self.decodings, True, self.deaths + int(self.alone))]
        step = -(-size // PIECES)
        pieces = [slice(start, start + step) for start in range(0, size, step)]
        return [_Task(self.files[piece], self.decodings[piece], True) for piece in pieces]


class RayExecutor:
    """An executor of the describing pipeline that keeps its workers until it is closed."""

    def __init__(self, cluster: Cluster, load: Load, flow: Flow | None = None, remark: Callable[[str], None] = print):
        """Workers `load` the describer that `describe` gets; `flow` as in ThreadExecutor, `remark` as in WorkerPool."""
        self._cluster, self._load, self._remark = cluster, load, remark
        self._flow = flow or Flow()
        self._pool: WorkerPool[_Task] | None = None

    def describe(
        self, groups: Iterable[Sequence[FoundFile]], read: FileReader[T], describer: StagedDescriber
    ) -> Iterator[Described[T]]:
        """Yield the descriptions of all files as workers return them, see `captioner.pipeline.Executor`.

        Raises KeyboardInterrupt after the last group if the flow was stopped, and RetroflexError if the cluster cannot
        be used.
        """
        waiting = deque(_Task(group) for group in groups)
        if waiting:
            if self._pool is None:
                self._pool = WorkerPool(self._cluster, self._load, identity_of(describer), self._remark)
            yield from _Run(self._pool, waiting, read, self._flow).groups()
        if self._flow.stopping:
            raise KeyboardInterrupt

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            with suppress(Exception):  # the cluster is gone
                self._pool.close()


class _Run(Generic[T]):
    """One run over files: gives tasks to workers, and makes descriptions of what they return."""

    def __init__(self, pool: WorkerPool[_Task], waiting: deque[_Task], read: FileReader[T], flow: Flow) -> None:
        self._pool, self._waiting, self._read, self._flow = pool, waiting, read, flow
        self._suspects: deque[_Task] = deque()

    def groups(self) -> Iterator[Described[T]]:
        try:
            while self._goes_on():
                self._assign()
                for event in self._pool.finished():
                    if isinstance(event, Ended):
                        yield from self._after_death(event.keys)
                    else:
                        yield from self._after(event)
        finally:
            self._pool.forget()

    def _goes_on(self) -> bool:
        """Return whether anything is under way, or is to be begun."""
        if self._flow.stopping:
            self._waiting.clear()
            self._flow.finish(sum(len(task.decodings) for task in self._suspects))
            self._suspects.clear()
        return bool(self._waiting or self._suspects or any(worker.calls for worker in self._pool.workers))

    def _assign(self) -> None:
        """Give tasks to workers with room; the first workers are kept free for the tasks that run alone."""
        workers = self._pool.workers
        for worker in workers:
            if self._suspects and not worker.calls:
                self._begin(worker, self._suspects.popleft())
        for worker in workers[len(self._suspects) :]:
            alone = any(task.alone for task in worker.calls.values())
            while self._waiting and not alone and len(worker.calls) < AHEAD:
                self._begin(worker, self._waiting.popleft())
        self._pool.grow(len(self._waiting) + len(self._suspects) + sum(bool(worker.calls) for worker in workers))

    def _begin(self, worker: RemoteWorker[_Task], task: _Task) -> None:
        if task.decodings:
            worker.call("describe", task, task.number, task.decodings)
        else:
            worker.call("identify", task, task.number, task.files, self._read.identify)

    def _after(self, event: Finished[_Task]) -> Iterator[Described[T]]:
        task = event.key
        if task.decodings:
            yield self._described(task.decodings, event.result)
            self._flow.finish(len(task.decodings))
            return
        check_reachable(task.files, event.result)
        readings, decodings = self._read.choose(task.files, event.result)
        if readings:
            yield self._passed(readings)
        if decodings and self._flow.begin(len(decodings)):
            task.files, task.decodings = (), decodings
            self._begin(event.worker, task)
        else:
            event.worker.tell("forget", task.number)

    def _described(self, decodings: Sequence[Decoding], files: Sequence[FileDescribed]) -> Described[T]:
        group: Described[T] = []
        for decoding, (descriptions, facts, error) in zip(decodings, files, strict=True):
            if error is not None:
                group += self._passed([self._read.refuse(decoding, error)])
                continue
            sources = self._read.complete(decoding, facts)
            group += [(one, own) for (one, _), own in zip(sources, descriptions, strict=True)]
            self._flow.passed(sum(number for _, number in sources))
        return group

    def _passed(self, readings: Sequence[Reading[T]]) -> Described[T]:
        """Return readings without a square, which need no describing."""
        self._flow.passed(sum(reading.sources for reading in readings))
        return [(reading.source, None) for reading in readings]

    def _after_death(self, tasks: Sequence[_Task]) -> Iterator[Described[T]]:
        if len(tasks) == 1:
            tasks[0].alone = True
        for again in (one for task in tasks for one in task.again()):
            if again.deaths < TRIES:
                self._suspects.append(again)
                continue
            error = PictureDamaged(f"is left out: {TRIES} workers ended, one after another, when they read it alone")
            if again.decodings:
                yield self._passed([self._read.refuse(again.decodings[0], error)])
                self._flow.finish(1)
            else:
                yield self._passed(self._read.choose(again.files, [Identified(error=error)])[0])


def check_reachable(files: Sequence[FoundFile], identified: Sequence[Identified]) -> None:
    """Raise RetroflexError where a worker cannot read a file that can be read here."""
    for file, (_, error, _) in zip(files, identified, strict=True):
        if not isinstance(error, PictureUnreadable):
            continue
        with suppress(OSError), file.path.open("rb"):
            raise RetroflexError(
                f"a worker cannot read {display(file.path)}, which is there on this machine; mount its folder under the"
                " same path on all machines"
            )
