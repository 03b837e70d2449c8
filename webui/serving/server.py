"""The production server: waitress around the application.

It builds on classes that waitress does not document, so requirements.txt names the releases that it was tested with.
`waitress.serve` and `create_server` can neither answer what waitress itself refuses (413, malformed headers) with a
problem document, nor stop from outside while running answers are finished.
"""

from __future__ import annotations

import errno
import json
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask

from data.errors import RetroflexError
from webui.problems import document
from webui.request.search_request import ENVELOPE
from webui.telemetry.logs import HEADER, new_id

THREADS = 32
"""Each open event stream holds one; uploads that are decoded and described hold a few more."""

CONNECTIONS = 500
"""Open at a time; each browser keeps several open."""

SURPLUS = 2**20
"""Bytes over the upload limit that are still read, so that the application itself can answer 413."""

GRACE = 3.0
"""Seconds in which running answers can finish when the server is stopped."""

logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # It would warn whenever a request waits.


class ServeError(RetroflexError):
    """The server cannot listen on this host and port."""


class _ProblemTask(ErrorTask):
    """Answers a request that waitress refuses before the application sees it with a problem document."""

    def execute(self) -> None:
        error, request_id = self.request.error, new_id()
        problem = document(error.code, f"the request was refused: {error.body}", request_id)
        body = json.dumps(problem).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", "application/problem+json"), (HEADER, request_id)]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    error_task_class = _ProblemTask


class Server(TcpWSGIServer):
    """Serves an application on a bound socket, which other processes may share."""

    channel_class = _Channel

    def __init__(self, app: Flask, bound: socket.socket, behind_proxy: bool = False) -> None:
        """Headers of a proxy reach the application only with `behind_proxy`."""
        self._stopping = False
        super().__init__(
            app,
            _sock=bound,
            bind_socket=False,
            sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
            threads=THREADS,
            connection_limit=CONNECTIONS,
            ident=None,
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"] + ENVELOPE + SURPLUS,
            clear_untrusted_proxy_headers=not behind_proxy,
        )

    def run(self) -> None:
        """Serve until `stop`; then accept no new connections and give running answers GRACE seconds."""
        self._loop_while(lambda: not self._stopping, 1.0)
        wasyncore.dispatcher.close(self)
        end = time.monotonic() + GRACE
        self._loop_while(lambda: self._busy() and time.monotonic() < end, 0.1)
        wasyncore.close_all(self._map)
        self.task_dispatcher.shutdown(timeout=1)

    def stop(self) -> None:
        """Let `run` return; may be called from another thread or a signal handler."""
        self._stopping = True
        with suppress(OSError):  # The loop may have ended already, and closed its trigger.
            self.pull_trigger()

    def _loop_while(self, condition: Callable[[], bool], longest: float) -> None:
        while condition():
            wasyncore.loop(timeout=longest, use_poll=True, map=self._map, count=1)

    def _busy(self) -> bool:
        return any(one.requests or one.total_outbufs_len for one in self.active_channels.values())


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to `host` and `port` (0: any free one). Raise ServeError, one line."""
    try:
        family, kind, protocol, _, bind_to = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ServeError(f"cannot listen on {host}: no such host; choose another with --host") from error
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(bind_to)
    except OSError as error:
        bound.close()
        raise ServeError(_reason(error, host, port)) from error
    return bound


def address(bound: socket.socket) -> str:
    """Return the address of the page, with the port in use."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program; choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than this account has; choose one above 1023 with --port"
    return f"cannot listen on {host} port {port}: {error.strerror or error}; check --host and --port"
