"""The options of `retroflex index` that choose where pictures are described: in threads of this process, or by Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from captioner.captioner import Captioner
from captioner.encoders.registry import build_further
from captioner.pipeline import Executor, Flow, ThreadExecutor, VectorDescriber
from captioner.reading import Load
from data.errors import RetroflexError
from retrieval.commands.options import remark

if TYPE_CHECKING:
    from captioner.cluster.connection import Cluster

THREADS, RAY = "threads", "ray"


def executor_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--executor` and `--address`, whose values are for `read_executor`."""
    executor = click.option(
        "--executor",
        type=click.Choice([THREADS, RAY]),
        default=THREADS,
        help="Describe pictures in threads here, or on the machines of a Ray cluster.",
    )
    address = click.option(
        "--address",
        metavar="ADDRESS",
        help="Join the cluster at auto, HOST:PORT or ray://HOST:PORT; without it, --executor ray starts one here.",
    )
    return executor(address(command))


def read_executor(executor: str, address: str | None) -> Machines:
    """Return where pictures are described. Raises RetroflexError where options do not fit or Ray is missing."""
    if executor == THREADS:
        if address is not None:
            raise RetroflexError("--address needs --executor ray")
        return Machines()
    from captioner.cluster.connection import Cluster, check_ray

    check_ray(address)
    return Machines(Cluster(address))


class Machines:
    """Where pictures are described; a cluster is left, or ended, with the context."""

    def __init__(self, cluster: Cluster | None = None) -> None:
        """Without a cluster, that is in this process."""
        self._cluster = cluster

    def __enter__(self) -> Machines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cluster is not None:
            self._cluster.close()

    @contextmanager
    def executor(self, flow: Flow, load: Load) -> Iterator[Executor]:
        """Yield an executor for one describer, which workers `load`."""
        with ExitStack() as stack:
            if self._cluster is None:
                yield ThreadExecutor(flow)
                return
            from captioner.cluster.executor import RayExecutor

            yield stack.enter_context(RayExecutor(self._cluster, load, flow, remark))


def loads_captioner(bundle: Path | None) -> Load:
    """Return what loads the captioner on any machine; a bundle has to be under the same path there."""
    return partial(Captioner.load, bundle.absolute() if bundle else None)


def loads_further(name: str, source: Path | None) -> Load:
    """Return what loads a further encoder on any machine; a file of weights has to be under the same path there."""
    return partial(_further, name, source.absolute() if source else None)


def _further(name: str, source: Path | None) -> VectorDescriber:
    return VectorDescriber(build_further(name, source))
