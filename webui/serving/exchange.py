"""One request and its answer: the head is checked, the body spooled, the application run in a thread.

    head ─► checks ─► body, into memory or a temporary file ─► application, in a thread ─► answer, as fast as it is read

All methods run in the server's loop but `_run` and what it calls, which run in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any, cast

from flask import Flask
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import StreamClosedError

from webui.problems import outside_application
from webui.request.head_check import HEAD_ONLY, HeadOnly
from webui.serving.heads import Environment, Refused, read_head

SURPLUS = 2**20
"""Bytes of a refused body that are still read, so that clients that send before they read see the answer."""
SURPLUS_SECONDS = 10.0
BODY_SECONDS = 300.0
"""Time for a whole body."""
READ_SECONDS = 30.0
"""Time for a client to read PIECE bytes of an answer; slower ones are cut off."""
PIECE = 64 * 1024
IN_MEMORY = 2**18
"""Bytes of a body or an answer above which it is kept in a temporary file."""

Headers = list[tuple[str, str]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bridge:
    """What all requests of a server share: the application, the threads that run it, and where it listens."""

    app: Flask
    threads: Executor
    server: tuple[str, int]
    behind_proxy: bool


class Gone(Exception):
    """The client closed the connection, or reads too slowly."""


class Exchange(HTTPMessageDelegate):
    """Receives one request and writes its answer."""

    def __init__(self, bridge: Bridge, connection: HTTP1Connection, client: str, mark: Callable[[bool], None]) -> None:
        """`client` is the address of the other side; `mark` is told when work on the request begins and ends."""
        self._bridge = bridge
        self._connection = connection
        self._client = client
        self._mark = mark
        self._loop = asyncio.get_running_loop()
        self._environment: Environment = {}
        self._spool: IO[bytes] = _spool()
        self._cap = 0
        self._received = 0
        self._refused = False
        self._answer = _Answer()
        self._work: asyncio.Future[None] | None = None

    async def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        """Check the head. Of a request with a body, the application checks it too, before the body is read."""
        self._mark(True)
        self._environment["REQUEST_METHOD"] = start_line.method
        self._connection.set_body_timeout(BODY_SECONDS)
        self._connection.set_max_body_size(2**62)  # The cap is checked here, which answers with a problem document.
        try:
            head = read_head(
                cast(RequestStartLine, start_line),
                headers,
                self._client,
                self._bridge.server,
                self._bridge.behind_proxy,
            )
            self._environment = head.environment
            waits = _expects(headers)
            if head.length == 0:
                headers.pop("Expect", None)  # Nothing more will come.
                return
            await self._check_with_application(head.length, waits)
        except Refused as refusal:
            await self._refuse(refusal, at_once=True)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Spool a part of the body, or drop it where the request is refused."""
        self._received += len(chunk)
        if self._refused:
            if self._received > SURPLUS:
                self._finish()
            return None
        if self._received > self._cap:
            return self._refuse(_too_large())
        try:
            self._spool.write(chunk)
        except OSError as error:
            _log.error("the body of a request cannot be kept: %s", error)
            return self._refuse(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the server's disk is full; try again later"))
        return None

    def finish(self) -> None:
        """Run the application, now that the request is complete."""
        if self._refused:
            self._finish()
            return
        if self._received:
            self._spool.seek(0)
            self._environment |= {"wsgi.input": self._spool, "CONTENT_LENGTH": str(self._received)}
        self._work = self._loop.run_in_executor(self._bridge.threads, self._run)

    def on_connection_close(self) -> None:
        """The client went away before its request was complete."""
        self._end()

    async def _check_with_application(self, length: int | None, waits: bool) -> None:
        """Let the application check the head; it may refuse, or lower the cap of the body."""
        head = HeadOnly(length)
        answer = _Answer()
        environment = self._environment | {HEAD_ONLY: head}
        body = await self._loop.run_in_executor(
            self._bridge.threads, lambda: b"".join(self._bridge.app(environment, answer.start))
        )
        self._cap = head.cap
        if not head.accepted:
            self._answer = answer
            await self._answer_early(body, at_once=waits)

    async def _refuse(self, refusal: Refused, at_once: bool = False) -> None:
        """Answer with a problem document, and close unless the rest of the body is short."""
        problem = outside_application(refusal.status, refusal.detail)
        self._answer = _Answer(problem.status, problem.headers)
        await self._answer_early(problem.body, at_once)

    async def _answer_early(self, body: bytes, at_once: bool) -> None:
        """Answer before the body is read; unless `at_once`, read a little of it before the connection is closed."""
        self._refused = True
        self._received = 0
        self._connection.set_body_timeout(SURPLUS_SECONDS)
        head = self._environment.get("REQUEST_METHOD") == "HEAD"
        self._connection.write_headers(*self._answer.head(), chunk=None if head else body)
        if at_once:
            self._finish()

    def _run(self) -> None:
        """Run the application and send what it returns. In a thread."""
        try:
            parts = self._bridge.app(self._environment, self._answer.start)
            try:
                self._send_all(parts)
            finally:
                if hasattr(parts, "close"):
                    parts.close()
        except Gone:
            pass
        except Exception:
            _log.exception("%s failed", self._environment["PATH_INFO"])
            self._in_loop(self._fail())

    def _send_all(self, parts: Iterable[bytes]) -> None:
        """Send the parts of an answer as they come. Once all that was announced is there, the thread is free."""
        sent, announced = 0, self._answer.length
        for part in parts:
            sent += len(part)
            if sent == announced:
                self._in_loop(self._write(part, last=True))
                return
            if part:
                self._wait_for(self._write(part, last=False))
        self._in_loop(self._write(b"", last=True))

    def _in_loop(self, work: Any) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # The loop is closed: the server has stopped.
            work.close()
            raise Gone from None

    def _wait_for(self, work: Any) -> None:
        try:
            self._in_loop(work).result()
        except CancelledError:
            raise Gone from None

    async def _write(self, content: bytes, last: bool) -> None:
        """Write a part of the answer, as fast as the client reads. Raise Gone."""
        try:
            await self._write_piece(content[:PIECE])
            if len(content) > PIECE:
                with _spool(content[PIECE:]) as rest:
                    del content
                    while piece := rest.read(PIECE):
                        await self._write_piece(piece)
            if last:
                self._finish()
        except (StreamClosedError, TimeoutError) as error:
            self._close()
            raise Gone from error
        except Exception:
            self._close()
            raise

    async def _write_piece(self, piece: bytes) -> None:
        if self._answer.begun:
            written = self._connection.write(piece)
        else:
            written = self._connection.write_headers(*self._answer.head(), chunk=piece)
        await asyncio.wait_for(written, READ_SECONDS)

    async def _fail(self) -> None:
        """The application failed so badly that it has no answer of its own."""
        if self._answer.begun:
            self._close()
        else:
            await self._refuse(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "an error in the server; its log says more"))
            self._finish()

    def _finish(self) -> None:
        self._connection.finish()
        if self._answer.unbounded(self._environment):
            self._close()
        self._end()

    def _close(self) -> None:
        self._connection.close()
        self._end()

    def _end(self) -> None:
        self._spool.close()
        self._mark(False)


class _Answer:
    """Status and headers, as the application gives them to `start`."""

    def __init__(self, status: str = "", headers: Headers | None = None) -> None:
        self.status = status
        self.headers: Headers = headers or []
        self.begun = False

    def start(self, status: str, headers: Headers, _error: Any = None) -> Callable[[bytes], object]:
        """Take status and headers, as WSGI says; writing by the returned function is not supported."""
        self.status, self.headers = status, list(headers)
        return _no_write

    @property
    def length(self) -> int | None:
        """The announced length in bytes."""
        announced = [value for name, value in self.headers if name.lower() == "content-length"]
        return int(announced[0]) if announced else None

    def head(self) -> tuple[ResponseStartLine, HTTPHeaders]:
        """Return what is written first."""
        self.begun = True
        code, _, reason = self.status.partition(" ")
        headers = HTTPHeaders()
        for name, value in self.headers:
            headers.add(name, value)
        return ResponseStartLine("HTTP/1.1", int(code), reason), headers

    def unbounded(self, environment: Environment) -> bool:
        """Whether only the end of the connection tells a client where the answer ends."""
        return environment.get("SERVER_PROTOCOL") == "HTTP/1.0" and self.length is None


def _no_write(_: bytes) -> object:
    raise NotImplementedError("return the parts of the answer instead")


def _spool(content: bytes = b"") -> IO[bytes]:
    """Return a file with this content, in memory or, where it is large, in a temporary file."""
    spool = cast(IO[bytes], tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 - its users close it
    spool.write(content)
    spool.seek(0)
    return spool


def _expects(headers: HTTPHeaders) -> bool:
    """Whether the client waits to be told to send the body. Raise Refused for another expectation."""
    expected = headers.get("Expect")
    if expected is None:
        return False
    if expected.lower() != "100-continue":
        raise Refused(HTTPStatus.EXPECTATION_FAILED, "the only Expect that is known is 100-continue")
    headers["Expect"] = "100-continue"
    return True


def _too_large() -> Refused:
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than the server accepts")
