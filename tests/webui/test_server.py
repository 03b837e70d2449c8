"""The real server, and the command that starts it."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from flask import Flask

from data.errors import RetroflexError
from retrieval.library import Library
from tests.conftest import hear_ctrl_c
from webui.commands import serve
from webui.server import ServeError, listen

RUN = """
import sys
from pathlib import Path
from data.settings import load_settings
from retrieval.library import Library
from webui.server import serve
def load():
    raise RuntimeError("no captioner here")
serve(Library.open(load_settings(library=Path(sys.argv[1]))), load, "127.0.0.1", 0)
"""


def test_it_answers_over_a_real_socket(address: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request("GET", "/api/v1/search?q=red")
    assert json.load(connection.getresponse())["total"] >= 4


@pytest.mark.parametrize("size", [400_000, 5_000_000])
def test_too_large_a_body_is_a_413_problem_without_being_read(address: str, size: int) -> None:
    netloc = urlsplit(address)
    with socket.create_connection((netloc.hostname, netloc.port), timeout=10) as client:
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
    with socket.create_connection((netloc.hostname, netloc.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost : x\r\n bad\r\n\r\n")
        assert b"application/problem+json" in client.recv(4096)


def test_a_port_that_is_taken_is_one_clear_line(app: Flask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"port {port} on 127.0.0.1 is taken.*--port"):
            listen(app, "127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_one_clear_line(app: Flask, host: str) -> None:
    with pytest.raises(ServeError, match=f"cannot listen on {host}"):
        listen(app, host, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_stops_cleanly(library: Library, number: int) -> None:
    command = [sys.executable, "-c", RUN, str(library.settings.library)]
    root = Path(__file__).parents[2]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=root, preexec_fn=hear_ctrl_c, **pipes) as process:
        try:
            line = process.stdout.readline()
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert line.startswith("Retroflex is at http://127.0.0.1:")
    assert process.returncode == 0
    assert errors.count("Traceback") == errors.count("no captioner here")


def test_other_machines_are_let_in_only_when_asked_for(library: Library) -> None:
    result = CliRunner().invoke(serve, ["--library", str(library.settings.library), "--host", "0.0.0.0"])
    assert isinstance(result.exception, RetroflexError)
    assert "--allow-remote" in str(result.exception)


def test_a_missing_library_is_one_clear_line(tmp_path: Path) -> None:
    result: Any = CliRunner().invoke(serve, ["--library", str(tmp_path / "none"), "--port", "0"])
    assert isinstance(result.exception, RetroflexError)
    assert "retroflex index" in str(result.exception)
    assert not (tmp_path / "none").exists()
