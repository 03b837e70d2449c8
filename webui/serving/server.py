"""The production server: connections and their limits, start and stop.

Tornado reads and writes HTTP (`tornado.http1connection`, `tornado.iostream` and `tornado.netutil`, all documented);
`webui.serving.exchange` runs the application. `tornado.httpserver.HTTPServer` is not used, as it makes its streams
itself and says nothing about a connection to the handlers of its requests.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

from flask import Flask
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.iostream import IOStream
from tornado.netutil import add_accept_handler

from data.errors import RetroflexError
from webui.auth.rates import networks
from webui.auth.security import is_loopback
from webui.problems import outside_application
from webui.serving.exchange import Bridge, Exchange
from webui.serving.heads import LONGEST_HEAD

THREADS = 32
"""Each open event stream holds one; uploads that are decoded and described hold a few more."""

CONNECTIONS = 500
"""Open at a time; each browser keeps several open. Beyond, the one that has been idle longest is closed."""

CONNECTIONS_OF_ONE = 100
"""Of one address, or of all that its subscriber may choose; of a provider's block of version 6 four times as many."""

CONNECTIONS_OF_LOOPBACK = 400
"""This machine's own programs, and a proxy that the server was not told of."""

HEAD_SECONDS = 30.0
"""Time for the whole head of a request, from the start of the connection or the end of the previous answer."""

BACKLOG = 1024

GRACE = 3.0
"""Seconds in which running answers can finish when the server is stopped."""


class ServeError(RetroflexError):
    """The server cannot listen on this host and port."""


class _Stream(IOStream):
    """A connection's stream, which answers what is no HTTP with a problem document.

    Tornado answers a malformed request with a status line alone, and no other answer of a server is without headers.
    """

    def write(self, data: bytes | memoryview) -> asyncio.Future[None]:
        """Write data, or a problem document in its place."""
        head = bytes(data)
        if head.startswith(b"HTTP/1.1 4") and head.endswith(b"\r\n\r\n") and head.count(b"\r\n") == 2:
            data = _problem(int(head[9:12]), "the request could not be understood as HTTP")
        return super().write(data)


class _Client:
    """One connection: its stream, the other side's address, and whether a request is under way."""

    def __init__(self, stream: IOStream, address: str) -> None:
        self.stream = stream
        self.address = address
        self.busy = False


class Server(HTTPServerConnectionDelegate):
    """Serves an application on a bound socket, which other processes may share."""

    def __init__(self, app: Flask, bound: socket.socket, behind_proxy: bool = False) -> None:
        """Headers of a proxy reach the application only with `behind_proxy`."""
        self.socket = bound
        self._app = app
        self._behind_proxy = behind_proxy
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._clients: dict[_Client, None] = {}
        self._open: Counter[bytes] = Counter()
        bound.setblocking(False)
        bound.listen(BACKLOG)

    def run(self) -> None:
        """Serve until `stop`; then accept no new connections and give running answers GRACE seconds."""
        asyncio.run(self._serve())

    def stop(self) -> None:
        """Let `run` return; may be called from another thread or a signal handler."""
        self._stopping = True
        if self._loop is not None:
            with suppress(RuntimeError):  # The loop may have ended already.
                self._loop.call_soon_threadsafe(self._stopped.set)

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._stopping:
            return
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._bridge = Bridge(self._app, threads, self.socket.getsockname()[:2], self._behind_proxy)
        self._parameters = HTTP1ConnectionParameters(header_timeout=HEAD_SECONDS, max_header_size=2 * LONGEST_HEAD)
        stop_accepting = add_accept_handler(self.socket, self._accept)
        await self._stopped.wait()
        stop_accepting()
        self.socket.close()
        await self._end_connections()
        threads.shutdown(wait=False, cancel_futures=True)

    async def _end_connections(self) -> None:
        end = self._now() + GRACE
        while self._clients and self._now() < end:
            for client in list(self._clients):
                if not (client.busy or client.stream.writing()):
                    client.stream.close()
            await asyncio.sleep(0.02)
        for client in list(self._clients):
            client.stream.close()
        await asyncio.sleep(0)  # Whoever waits for a stream learns that it is closed.

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _accept(self, connection: socket.socket, address: Any) -> None:
        client = _Client(_Stream(connection), str(address[0]))
        if not self._admit(client.address):
            detail = "too many connections from your address; close some, or try again later"
            client.stream.write(_problem(503, detail))
            client.stream.close()
            return
        if len(self._clients) >= CONNECTIONS and not self._close_an_idle_one():
            client.stream.close()
            return
        self._clients[client] = None
        self._open.update(networks(client.address))
        HTTP1ServerConnection(client.stream, self._parameters, client).start_serving(self)

    def _admit(self, address: str) -> bool:
        """Return whether one more connection of this address, and of its block, is allowed."""
        if self._behind_proxy:
            return True
        one = CONNECTIONS_OF_LOOPBACK if is_loopback(address) else CONNECTIONS_OF_ONE
        return all(self._open[network] < most for network, most in zip(networks(address), (one, 4 * one), strict=False))

    def _close_an_idle_one(self) -> bool:
        """Close the connection that has waited longest for a request; return whether there was one."""
        idle = next((client for client in self._clients if not client.busy), None)
        if idle is not None:
            self._forget(idle)
            idle.stream.close()
        return idle is not None

    def start_request(self, server_conn: object, request_conn: object) -> Exchange:
        """Tornado's way to ask who answers the next request of a connection."""
        connection = cast(HTTP1Connection, request_conn)
        client = cast(_Client, connection.context)
        return Exchange(self._bridge, connection, client.address, lambda busy: self._mark(client, busy))

    def on_close(self, server_conn: object) -> None:
        """Tornado's way to say that a connection has ended."""
        self._forget(cast(_Client, cast(HTTP1ServerConnection, server_conn).context))

    def _mark(self, client: _Client, busy: bool) -> None:
        """Remember whether a request is under way; who has just been served is the last in the row of the idle."""
        client.busy = busy
        if client in self._clients:
            del self._clients[client]
            self._clients[client] = None

    def _forget(self, client: _Client) -> None:
        if client in self._clients:
            del self._clients[client]
            self._open.subtract(networks(client.address))
            self._open = +self._open


def _problem(status: int, detail: str) -> bytes:
    """Return a whole answer, after which the connection is closed."""
    problem = outside_application(status, detail)
    headers = [*problem.headers, ("Connection", "close")]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {problem.status}\r\n{head}\r\n".encode() + problem.body


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
