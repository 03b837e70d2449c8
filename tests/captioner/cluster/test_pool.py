"""Workers that end before they are ready: with their machine, which costs nothing, or on one that goes on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from captioner.cluster.connection import Cluster
from captioner.cluster.pool import FAILURES, Ended, WorkerPool
from captioner.cluster.worker import Identity
from data.errors import RetroflexError

exceptions = pytest.importorskip("ray.exceptions", reason="Ray is missing: pip install '.[cluster]'")


class Machines:
    """Stands for Ray: each worker ends before it is ready, with its machine where they are `mortal`."""

    exceptions = exceptions

    def __init__(self, mortal: bool) -> None:
        self.mortal, self.ended = mortal, 0

    def nodes(self) -> list[dict[str, Any]]:
        alive = self.ended if self.mortal else 0
        return [{"NodeID": str(number), "Alive": number == alive} for number in range(alive + 1)]

    def remote(self, **_: object) -> Any:
        load = SimpleNamespace(remote=lambda *_: object())
        return lambda _: SimpleNamespace(remote=lambda: SimpleNamespace(load=load))

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def wait(self, calls: list[Any], **_: object) -> tuple[list[Any], list[Any]]:
        return calls, []

    def get(self, _: object) -> None:
        self.ended += 1
        raise exceptions.ActorDiedError

    def kill(self, _: object) -> None:
        """Nothing is left to kill."""


def pool(mortal: bool) -> WorkerPool[int]:
    cluster = cast(Cluster, SimpleNamespace(ray=Machines(mortal)))
    return WorkerPool(cluster, lambda: cast(Any, None), cast(Identity, None), lambda line: None)


def start_and_end(workers: WorkerPool[int]) -> None:
    workers.grow(1)
    assert list(workers.finished()) == [Ended([])]


def test_machines_may_be_lost_any_number_of_times_before_a_worker_is_ready() -> None:
    workers = pool(mortal=True)
    for _ in range(3 * FAILURES):
        start_and_end(workers)


def test_workers_that_end_where_their_machine_goes_on_end_the_run() -> None:
    workers = pool(mortal=False)
    for _ in range(FAILURES - 1):
        start_and_end(workers)
    workers.grow(1)
    with pytest.raises(RetroflexError, match="workers end before they are ready"):
        list(workers.finished())
