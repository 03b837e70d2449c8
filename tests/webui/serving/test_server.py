"""The real server, and the command that starts it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, Response

from retrieval.library import Library
from webui.app import create_app
from webui.serving.server import THREADS, ServeError, address, bind
from webui.telemetry.logs import Log


def test_it_answers_over_a_real_socket(address: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", "/api/v1/search?q=red")
    assert json.load(connection.getresponse())["total"] >= 4


@pytest.mark.parametrize("size", [400_000, 5_000_000])
def test_too_large_a_body_is_a_413_problem_without_being_read(address: str, size: int) -> None:
    netloc = urlsplit(address)
    with socket.create_connection((netloc.hostname, netloc.port), timeout=60) as client:
        head = f"POST /api/v1/search HTTP/1.1\r\nHost: {netloc.netloc}\r\nContent-Length: {size}\r\n"
        client.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())
        if size < 1_000_000:
            client.sendall(b"x" * size)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.headers["Content-Type"]) == (413, "application/problem+json")
        assert json.load(answer)["status"] == 413


def test_a_request_that_is_no_http_is_a_problem(address: str) -> None:
    netloc = urlsplit(address)
    with socket.create_connection((netloc.hostname, netloc.port), timeout=60) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost : x\r\n bad\r\n\r\n")
        assert b"application/problem+json" in client.recv(4096)


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"port {port} on 127.0.0.1 is in use.*--port"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a..b"])
def test_an_address_of_another_machine_is_one_clear_line(host: str) -> None:
    with pytest.raises(ServeError, match=f"cannot listen on {host}"):
        bind(host, 0)


def test_version_6_is_served(app: Flask, serving: Any) -> None:
    bound = bind("::1", 0)
    assert address(bound).startswith("http://[::1]:")
    bound.close()


def test_parts_of_an_answer_are_sent_as_they_come(library: Library, captioner: Any, serving: Any) -> None:
    """As server-sent events need it: whatever watches the answers holds nothing back."""
    app = create_app(library, lambda: captioner, log=Log(requests=True))
    gate = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"data: 1\n\n"
        assert gate.wait(60)
        yield b"data: 2\n\n"

    app.add_url_rule("/events", view_func=lambda: Response(parts(), mimetype="text/event-stream"))
    with serving(app) as at:
        connection = http.client.HTTPConnection(urlsplit(at).netloc, timeout=60)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.readline() == b"data: 1\n"
        gate.set()
        assert answer.read() == b"\ndata: 2\n\n"


def test_many_open_streams_leave_room_for_a_search(library: Library, captioner: Any, serving: Any) -> None:
    app = create_app(library, lambda: captioner)
    gate = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"begun"
        gate.wait(60)

    app.add_url_rule("/events", view_func=lambda: Response(parts(), mimetype="text/event-stream"))
    with serving(app) as at:
        streams = [http.client.HTTPConnection(urlsplit(at).netloc, timeout=60) for _ in range(THREADS - 4)]
        for stream in streams:
            stream.request("GET", "/events")
            assert stream.getresponse().read(5) == b"begun"
        search = http.client.HTTPConnection(urlsplit(at).netloc, timeout=60)
        search.request("GET", "/api/v1/search?q=red")
        assert search.getresponse().status == 200
        gate.set()
