"""The processes of `retroflex serve`: one server, or several that share a socket, kept running by a supervisor."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from captioner.types import Describer
from data.errors import RetroflexError
from data.paths import display
from data.settings import Settings
from data.temporary import sweep, temporary_folder
from retrieval.library import Library
from retrieval.search.query import Query
from webui.app import close_app, create_app
from webui.auth.access import Login
from webui.auth.keys import hide_token, key_place
from webui.auth.rates import RateLimits
from webui.auth.security import LOCAL, Reach
from webui.describing.captioner_process import connect, listen_for_pictures, serve_captioner
from webui.serving.server import Server, address, bind
from webui.serving.stopping import Stopping, leave
from webui.telemetry.logs import QUIET, Log, log_as_json
from webui.telemetry.metrics import SHARED, forget_process

WATCHED = {signal.SIGCHLD, signal.SIGINT, signal.SIGTERM}
SHORT_LIFE = 2.0
"""Seconds; a process that dies sooner is started again only after as long, to not overload the machine."""
PATIENCE = 6.0
"""Seconds after which a process that was asked to end is killed."""

Role = Callable[[], None]

_log = logging.getLogger(__name__)


class Supervisor:
    """Runs each role in a process forked from this one, which must have one thread only.

    A process whose supervisor ends, for whatever reason, ends too.
    """

    def __init__(self, roles: Sequence[Role], on_death: Callable[[int], None]) -> None:
        """`on_death` is called with the id of each process that died unexpectedly."""
        self._waiting = list(roles)
        self._on_death = on_death
        self._running: dict[int, tuple[Role, float]] = {}
        self._alive, self._held = os.pipe()

    def run(self) -> None:
        """Run until SIGINT or SIGTERM, then end all processes."""
        # Blocked signals wait for sigwait, so none can interrupt.
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
        """Nothing is ever written to the pipe; reading ends when the supervisor has ended."""
        os.read(self._alive, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _reap(self) -> None:
        for process in self._ended():
            role, began = self._running.pop(process)
            _log.error("server process %d ended; another one replaces it", process)
            self._on_death(process)
            if time.monotonic() - began < SHORT_LIFE:
                time.sleep(SHORT_LIFE)
            self._waiting.append(role)

    def _ended(self) -> list[int]:
        return [process for process in self._running if os.waitpid(process, os.WNOHANG)[0]]

    def _end_all(self) -> None:
        self._signal(signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while self._running and time.monotonic() < end:
            for process in self._ended():
                del self._running[process]
            time.sleep(0.02)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running:
            os.kill(process, number)


@dataclass(frozen=True)
class Service:
    """What is served, by how many processes, and to whom; folders below `roots` and `disks()`
    can be added from the page."""

    settings: Settings
    captioner_loader: Callable[[], Describer]
    port: int
    processes: int = 1
    reach: Reach = LOCAL
    log: Log = QUIET
    roots: Sequence[Path] = ()
    disks: Callable[[], Sequence[Path]] = tuple

    def run(self, stopping: Stopping) -> None:
        """Print the address, serve until Ctrl-C or SIGTERM, and end the process.

        Where there is no library, one is made, unless login is required. Raise RetroflexError, one line, when there is
        none then, no password where one is needed, or no such
        address.
        """
        if self.log.requests:
            log_as_json()
        sweep()
        # A new library is empty, and the page leads on; without login nobody else can have meant another one.
        new = not self.settings.exists and not self.reach.login_required
        with closing(Library.open(self.settings, create=new)) as library:
            if new:
                print(f"Made a library in {display(self.settings.library)}; add folders on the page", flush=True)
            hide_token()
            Login(key_place(self.settings.library, library.store), self.reach)
        with closing(bind(self.reach.host, self.port)) as bound:
            if self.processes == 1:
                self._serve(bound, self.captioner_loader, RateLimits(), stopping, lambda _: _announce(bound))
            else:
                self._serve_together(bound, stopping)
        leave()

    def _serve(
        self,
        bound: socket.socket,
        loader: Callable[[], Describer],
        rate_limits: RateLimits,
        stopping: Stopping,
        begin: Callable[[Library], None],
    ) -> None:
        with closing(Library.open(self.settings, merges=True)) as library:
            limits = None if library.store.shared else rate_limits
            app = create_app(library, loader, self.reach, self.log, limits, self.roots, self.disks)
            server = Server(app, bound, self.reach.behind_proxy)
            with stopping.gently(server.stop):
                begin(library)
                server.run()
            close_app(app)

    def _serve_together(self, bound: socket.socket, stopping: Stopping) -> None:
        with temporary_folder() as folder:
            os.environ[SHARED] = str(folder)
            path = folder / "captioner"
            listener = listen_for_pictures(path)
            bound.listen()  # From now on clients wait until the first process answers.
            loader = partial(connect, path)
            work = partial(self._serve, bound, loader, RateLimits(), stopping, _warm_up)
            captioning = partial(serve_captioner, listener, self.captioner_loader)
            supervisor = Supervisor([captioning, *[work] * self.processes], forget_process)
            _announce(bound)
            supervisor.run()


def _warm_up(library: Library) -> None:
    """Open the search index and the text encoder, so that the first search of this process is fast."""
    with suppress(RetroflexError):  # A search reports it.
        library.search(Query("a picture"))


def _announce(bound: socket.socket) -> None:
    print(f"Retroflex is at {address(bound)} (Ctrl-C stops it)", flush=True)
