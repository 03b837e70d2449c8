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
    """Handles both signals from `with` on, to the end of the process.

    Outside of `gently` a signal ends the process at once, even during a long import: the library is consistent at any
    instant, so nothing has to be cleaned up. Leaving `with` restores the previous handlers.
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
        """In this context the first signal only calls `ask`, so that running answers can finish."""
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

    The interpreter is not shut down in order: threads inside a deep-learning library would crash.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
