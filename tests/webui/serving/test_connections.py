"""Many connections, and answers that are not read."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, Response

from retrieval.library import Library
from tests.webui.serving.test_requests import HEAD, connect, everything
from webui.api.streams import StreamLimit
from webui.app import create_app
from webui.serving import exchange, server
from webui.serving.server import Server, bind


def healthy(address: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", "/healthz")
    return connection.getresponse().status


def test_idle_connections_of_one_address_are_limited(
    address: str, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_OF_LOOPBACK", 5)
    with ExitStack() as held:
        first = held.enter_context(connect(address))
        for _ in range(4):
            held.enter_context(connect(address))
        refused = held.enter_context(connect(address))
        assert b"too many connections" in everything(refused)
        first.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
        assert everything(first).startswith(b"HTTP/1.1 200")
        eventually(lambda: healthy(address) == 200)  # One has ended, so another is allowed.


def test_when_all_are_taken_the_longest_idle_one_makes_room(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 8)
    with ExitStack() as held:
        idle = [held.enter_context(connect(address)) for _ in range(20)]
        assert healthy(address) == 200
        assert everything(idle[0]) == b""


@pytest.mark.parametrize(
    ("addresses", "admitted"),
    [
        (["192.0.2.1"] * 200, 100),
        ([f"192.0.2.{number}" for number in range(200)], 200),
        ([f"2001:db8:1::{number:x}" for number in range(200)], 100),
        ([f"2001:db8:1:{number:x}::1" for number in range(500)], 400),
        (["::ffff:192.0.2.1", "192.0.2.1"] * 100, 100),
        (["127.0.0.1"] * 450, 400),
    ],
)
def test_who_counts_as_one(app: Flask, addresses: list[str], admitted: int) -> None:
    made = Server(app, bind("127.0.0.1", 0))
    count = 0
    for address in addresses:
        if made._admit(address):
            made._open.update(server.networks(address))
            count += 1
    made.socket.close()
    assert count == admitted


def streaming(app: Flask, limit: StreamLimit, gate: threading.Event) -> None:
    def parts() -> Iterator[bytes]:
        yield b"begun"
        while not gate.wait(0.05):
            yield b": still here\n\n"

    app.add_url_rule("/stream", view_func=lambda: Response(limit.stream(parts())))


def test_a_stream_is_closed_when_its_reader_goes_away(
    library: Library, captioner: Any, serving: Any, eventually: Any
) -> None:
    app, limit, gate = create_app(library, lambda: captioner), StreamLimit(1, "busy"), threading.Event()
    streaming(app, limit, gate)
    with serving(app) as at:
        for _ in range(3):
            with connect(at) as client:
                client.sendall(b"GET /stream HTTP/1.1\r\n" + HEAD + b"\r\n")
                assert b"begun" in client.recv(9999) + client.recv(9999)
            eventually(lambda: limit._free.acquire(blocking=False))
            limit._free.release()
        gate.set()


def test_a_reader_that_stops_reading_is_cut_off(
    library: Library, captioner: Any, serving: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "READ_SECONDS", 0.5)
    app, limit = create_app(library, lambda: captioner), StreamLimit(1, "busy")
    app.add_url_rule("/endless", "endless", view_func=lambda: Response(limit.stream(iter(lambda: b"x" * 2**20, b""))))
    app.add_url_rule("/large", "large", view_func=lambda: Response(b"x" * 2**26))
    with serving(app) as at:
        for path in (b"/endless", b"/large"):
            with connect(at) as client:
                client.sendall(b"GET %b HTTP/1.1\r\n" % path + HEAD + b"\r\n")
                eventually(lambda: limit._free.acquire(blocking=False))
                limit._free.release()
                assert client.recv(1)
                threading.Event().wait(1.5)
                assert len(everything(client)) < 2**26
        assert healthy(at) == 200


def test_a_large_answer_arrives_whole(library: Library, captioner: Any, serving: Any) -> None:
    content = bytes(range(256)) * 2**14
    app = create_app(library, lambda: captioner)
    app.add_url_rule("/large", "large", view_func=lambda: Response(content))
    app.add_url_rule("/parts", "parts", view_func=lambda: Response(iter([content, b"", content[:5]])))
    with serving(app) as at:
        connection = http.client.HTTPConnection(urlsplit(at).netloc, timeout=60)
        for path, expected in (("/large", content), ("/parts", content + content[:5])):
            connection.request("GET", path)
            assert connection.getresponse().read() == expected
