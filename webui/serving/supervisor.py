"""Keeps several processes running: starts them, starts again what died, ends them all."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

WATCHED = {signal.SIGCHLD, signal.SIGINT, signal.SIGTERM}
SHORT_LIFE = 2.0
"""Seconds; what dies sooner than that is started again only after as long, lest it takes the machine."""
PATIENCE = 6.0
"""Seconds after which a process that was told to end is killed."""

Role = Callable[[], None]

_log = logging.getLogger(__name__)


class Supervisor:
    """Runs each role in a process forked from this one, which must have one thread only.

    A process that loses its supervisor ends, too, however that went.
    """

    def __init__(self, roles: Sequence[Role], on_death: Callable[[int], None]) -> None:
        """`on_death` is told the id of each process that died before its time."""
        self._waiting = list(roles)
        self._on_death = on_death
        self._running: dict[int, tuple[Role, float]] = {}
        self._alive, self._held = os.pipe()

    def run(self) -> None:
        """Run until SIGINT or SIGTERM, then end all processes."""
        # Blocked signals wait until they are asked for, so none can come at a bad moment.
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        self._start_waiting()
        while signal.sigwait(WATCHED) == signal.SIGCHLD:
            self._reap()
            self._start_waiting()
        self._end_all()

    def _start_waiting(self) -> None:
        while self._waiting:
            role = self._waiting.pop()
            process = os.fork()
            if process == 0:
                self._be(role)
            self._running[process] = (role, time.monotonic())

    def _be(self, role: Role) -> NoReturn:
        code = 1
        try:
            os.close(self._held)
            threading.Thread(target=self._end_with_supervisor, daemon=True).start()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            role()
            code = 0
        except BaseException:
            _log.exception("a server process failed")
        finally:
            os._exit(code)

    def _end_with_supervisor(self) -> None:
        """Nothing is ever written to the pipe; reading ends when the supervisor has gone."""
        os.read(self._alive, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _reap(self) -> None:
        for process in self._ended():
            role, began = self._running.pop(process)
            _log.error("server process %d ended; another takes its place", process)
            self._on_death(process)
            if time.monotonic() - began < SHORT_LIFE:
                time.sleep(SHORT_LIFE)
            self._waiting.append(role)

    def _ended(self) -> list[int]:
        return [process for process in self._running if os.waitpid(process, os.WNOHANG)[0]]

    def _end_all(self) -> None:
        self._tell(signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while self._running and time.monotonic() < end:
            for process in self._ended():
                del self._running[process]
            time.sleep(0.02)
        self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for process in self._running:
            os.kill(process, number)
