"""What `retroflex serve` runs: one server process, or several that share a socket."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from captioner.types import Describes
from data.errors import RetroflexError
from data.settings import Settings
from retrieval.library import Library
from retrieval.search.query import Query
from webui.app import close_app, create_app
from webui.describing.captioner_process import connect, listen_for_pictures, serve_captioner
from webui.guard.access import Guard
from webui.guard.rates import Rates
from webui.guard.reach import LOCAL, Reach
from webui.serving.server import Server, address, bind
from webui.serving.stopping import Stopping, leave
from webui.serving.supervisor import Supervisor
from webui.telemetry.logs import QUIET, Log, log_as_json
from webui.telemetry.metrics import SHARED, forget_process


@dataclass(frozen=True)
class Service:
    """What is served, by how many processes, and to whom; folders below `places` can be added from the page."""

    settings: Settings
    captioner_loader: Callable[[], Describes]
    port: int
    processes: int = 1
    reach: Reach = LOCAL
    log: Log = QUIET
    places: Sequence[Path] = ()

    def run(self, stopping: Stopping) -> None:
        """Serve until Ctrl-C or SIGTERM and end the process; prints the address first.

        Raises RetroflexError, one line, when there is no library, no password where one is needed, or no such
        address.
        """
        if self.log.requests:
            log_as_json()
        Library.open(self.settings).close()
        Guard(self.settings.library, self.reach)
        with closing(bind(self.reach.host, self.port)) as bound:
            if self.processes == 1:
                self._serve(bound, self.captioner_loader, Rates(), stopping, lambda _: _announce(bound))
            else:
                self._serve_together(bound, stopping)
        leave()

    def _serve(
        self,
        bound: socket.socket,
        loader: Callable[[], Describes],
        rates: Rates,
        stopping: Stopping,
        begin: Callable[[Library], None],
    ) -> None:
        with closing(Library.open(self.settings, merges=True)) as library:
            app = create_app(library, loader, self.reach, self.log, rates, self.places)
            server = Server(app, bound, self.reach.behind_proxy)
            with stopping.gently(server.stop):
                begin(library)
                server.run()
            close_app(app)

    def _serve_together(self, bound: socket.socket, stopping: Stopping) -> None:
        with tempfile.TemporaryDirectory(prefix="retroflex-") as folder:
            os.environ[SHARED] = folder
            path = Path(folder) / "captioner"
            listener = listen_for_pictures(path)
            bound.listen()  # From now on callers wait until the first process is there.
            loader = partial(connect, path)
            work = partial(self._serve, bound, loader, Rates(), stopping, _warm_up)
            captioning = partial(serve_captioner, listener, self.captioner_loader)
            supervisor = Supervisor([captioning, *[work] * self.processes], forget_process)
            _announce(bound)
            supervisor.run()


def _warm_up(library: Library) -> None:
    """Open the search index and the model of words, so that nobody waits while another process could answer at once."""
    with suppress(RetroflexError):  # A search will say what is wrong.
        library.search(Query("a picture"))


def _announce(bound: socket.socket) -> None:
    print(f"Retroflex is at {address(bound)} (Ctrl-C stops it)", flush=True)
