"""The production server: waitress around the application, in one process with one model."""

from __future__ import annotations

import errno
import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask

from captioner.types import Describes
from data.errors import RetroflexError
from retrieval.library import Library
from webui.app import create_app
from webui.problems import document
from webui.security import is_loopback
from webui.uploads import ENVELOPE

THREADS = 8
"""More than the captioner has places and the thumbnails decoders, so that search by words is always answered."""

SURPLUS = 2**20
"""Bytes over the upload cap that are still read, so that the application itself can answer 413."""


class ServeError(RetroflexError):
    """The server cannot listen where it was told to."""


class _ProblemTask(ErrorTask):
    """What waitress refuses before the application sees it is answered as a problem document too."""

    def execute(self) -> None:
        error = self.request.error
        body = json.dumps(document(error.code, f"the request was refused: {error.body}")).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    error_task_class = _ProblemTask


class Server(TcpWSGIServer):
    """A listening server; `run` serves until Ctrl-C or SIGTERM, `address` is where."""

    channel_class = _Channel

    @property
    def address(self) -> str:
        """The address of the page, with the port that was really taken."""
        host = f"[{self.effective_host}]" if ":" in self.effective_host else self.effective_host
        return f"http://{host}:{self.effective_port}/"


def listen(app: Flask, host: str, port: int) -> Server:
    """Return a server that listens on `host` and `port` (0: any free one). Raises ServeError, one line."""
    largest = app.config["MAX_CONTENT_LENGTH"] + ENVELOPE + SURPLUS
    try:
        return Server(app, host=host, port=port, threads=THREADS, ident=None, max_request_body_size=largest)
    except OSError as error:
        raise ServeError(_reason(error, host, port)) from error
    except ValueError as error:  # waitress's word for a name that does not resolve
        raise ServeError(f"cannot listen on {host}: no such host; choose another with --host") from error


def serve(
    library: Library,
    captioner_loader: Callable[[], Describes],
    host: str,
    port: int,
    places: Sequence[Path] = (),
) -> None:
    """Serve the library until Ctrl-C or SIGTERM; prints the address first. Raises ServeError."""
    server = listen(create_app(library, captioner_loader, is_loopback(host), places), host, port)
    signal.signal(signal.SIGTERM, _leave)
    print(f"Retroflex is at {server.address} (Ctrl-C stops it)", flush=True)
    try:
        server.run()
    finally:
        server.close()


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another program; choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by this account; choose one above 1023 with --port"
    return f"cannot listen on {host} port {port}: {error.strerror or error}; check --host and --port"
