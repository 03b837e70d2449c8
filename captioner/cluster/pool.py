"""Workers on the machines of a Ray cluster: as many as have room, and more as machines join."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from captioner.cluster.connection import INSTALL, Cluster
from captioner.cluster.worker import Identity, Worker
from captioner.reading import Load
from data.errors import RetroflexError, one_line

K = TypeVar("K")

CPUS = 1
"""Processors of a worker, and threads in which it computes."""
AHEAD = 2
"""Tasks that a worker has at a time, so that it reads one while it describes another."""
POLL_SECONDS = 0.5
"""Seconds between two looks for machines with room."""
PATIENCE = 60.0
"""Seconds without any worker, after which a line says so."""
FAILURES = 3
"""Workers that end one after another before they are ready, on machines that go on, from which the run is given up."""


@dataclass(eq=False)
class RemoteWorker(Generic[K]):
    """A worker in the cluster, and its calls under way, each with what it is for."""

    actor: Any
    ready: Any
    machines: set[str]
    """The ids of all machines that were there when it was begun."""
    calls: dict[Any, K] = field(default_factory=dict)

    def call(self, method: str, key: K, *arguments: Any) -> None:
        """Call a method of `Worker`; its result comes out of `WorkerPool.finished`."""
        self.calls[getattr(self.actor, method).remote(*arguments)] = key

    def tell(self, method: str, *arguments: Any) -> None:
        """Call a method of `Worker` whose result nobody needs."""
        getattr(self.actor, method).remote(*arguments)


@dataclass(frozen=True)
class Finished(Generic[K]):
    """The result of a call."""

    worker: RemoteWorker[K]
    key: K
    result: Any


@dataclass(frozen=True)
class Ended(Generic[K]):
    """A worker's process or its machine has ended, or is out of reach; `keys` are those of its calls under way."""

    keys: list[K]


class WorkerPool(Generic[K]):
    """Workers with the same describer, code and bundle."""

    def __init__(self, cluster: Cluster, load: Load, identity: Identity, remark: Callable[[str], None]) -> None:
        """`remark` gets a line where there is no worker for long."""
        self._cluster, self._load, self._identity, self._remark = cluster, load, identity, remark
        self._workers: list[RemoteWorker[K]] = []
        self._starting: list[RemoteWorker[K]] = []
        self._failures = 0
        self._looked_at = 0.0
        self._patient_until: float | None = time.monotonic() + PATIENCE

    @property
    def workers(self) -> list[RemoteWorker[K]]:
        """Those that are ready."""
        return self._workers

    def grow(self, tasks: int) -> None:
        """Start workers where there is room, no more than `tasks`; one more always waits for a machine that joins."""
        now, missing = time.monotonic(), tasks - len(self._workers) - len(self._starting)
        if missing <= 0 or (self._starting and now - self._looked_at < POLL_SECONDS):
            return
        self._looked_at = now
        room = int(self._cluster.ray.available_resources().get("CPU", 0) // CPUS) - len(self._starting)
        for _ in range(min(missing, max(room, 0 if self._starting else 1))):
            self._start()

    def _start(self) -> None:
        ray = self._cluster.ray
        remote = ray.remote(num_cpus=CPUS, max_restarts=0, max_task_retries=0, max_concurrency=AHEAD)(Worker)
        actor = remote.remote()
        self._starting.append(RemoteWorker(actor, actor.load.remote(self._load, CPUS), self._machines()))

    def _machines(self) -> set[str]:
        return {node["NodeID"] for node in self._cluster.ray.nodes() if node["Alive"]}

    def finished(self) -> Iterator[Finished[K] | Ended[K]]:
        """Yield what has finished or ended; wait for it up to POLL_SECONDS. Raises RetroflexError."""
        ray = self._cluster.ray
        owners = {one.ready: one for one in self._starting} | {ref: one for one in self._workers for ref in one.calls}
        if not owners:
            return
        done, _ = ray.wait(list(owners), num_returns=1, timeout=POLL_SECONDS)
        self._wait_patiently()
        for ref in done:
            worker = owners[ref]
            try:
                result = ray.get(ref)
            except ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, Exception) else error from None
            except (ray.exceptions.RaySystemError, ray.exceptions.LocalRayletDiedError) as error:
                raise RetroflexError(f"the Ray cluster is lost: {one_line(error)}; index again to go on") from error
            except ray.exceptions.RayError as error:
                yield self._ended(worker, error)
                continue
            if worker in self._starting:
                self._join(worker, *result)
            else:
                yield Finished(worker, worker.calls.pop(ref), result)

    def _wait_patiently(self) -> None:
        if self._patient_until is not None and time.monotonic() > self._patient_until and not self._workers:
            self._remark("no worker of the cluster is ready yet; each needs a free processor")
            self._patient_until = None

    def _join(self, worker: RemoteWorker[K], identity: Identity, machine: str) -> None:
        if identity.code != self._identity.code:
            raise RetroflexError(
                f"the worker on {machine} runs other code; install the same version of Retroflex there"
            )
        if identity != self._identity:
            raise RetroflexError(
                f"the worker on {machine} has the captioner {identity.model_version}, not"
                f" {self._identity.model_version}; give it the same bundle"
            )
        self._starting.remove(worker)
        self._workers.append(worker)
        self._failures, self._patient_until = 0, None

    def _ended(self, worker: RemoteWorker[K], error: Exception) -> Ended[K]:
        self._cluster.ray.kill(worker.actor)  # it may only be out of reach
        if worker in self._workers:
            self._workers.remove(worker)
            return Ended(list(worker.calls.values()))
        self._starting.remove(worker)
        self._failures += worker.machines <= self._machines()  # otherwise it may have ended with its machine
        if self._failures >= FAILURES:
            lines = [line for line in str(error).splitlines() if line.strip()]
            why = one_line(RuntimeError(lines[-1])) if lines else one_line(error)
            raise RetroflexError(f"workers end before they are ready ({why}); each machine needs {INSTALL}") from error
        return Ended([])

    def forget(self) -> None:
        """Drop all calls under way; their results are not used."""
        for worker in self._workers:
            worker.calls.clear()

    def close(self) -> None:
        """End all workers."""
        for worker in (*self._workers, *self._starting):
            self._cluster.ray.kill(worker.actor)
        self._workers, self._starting = [], []
