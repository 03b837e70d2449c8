"""Ctrl-C and SIGTERM end a server with exit code 0 at any instant."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Holds the handlers of both signals from `with` on, to the end of the process.

    Outside of `gently` a signal ends the process on the spot: what is in the library is whole at any instant, and
    nothing has to be unwound, so it does not matter what was being done, the import of a large library included.
    An error leaves the handlers as they were before.
    """

    def __init__(self) -> None:
        self._ask: Callable[[], None] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stopping:
        self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def gently(self, ask: Callable[[], None]) -> Iterator[None]:
        """While this lasts the first signal only calls `ask`, which lets what is under way be finished."""
        self._ask = ask
        yield
        self._ask = None

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        ask, self._ask = self._ask, None
        if ask is None:
            leave()
        ask()


def leave() -> NoReturn:
    """End the process with exit code 0.

    The interpreter is not taken down in order: threads that are inside a deep-learning library do not survive that.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
