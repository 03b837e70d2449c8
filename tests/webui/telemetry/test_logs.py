"""The log in JSON, and the ids that join it to the answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient

from data.store import Store
from retrieval.library import Library
from webui.app import create_app
from webui.telemetry.logs import JsonFormatter, Log

STREAMED = b"abc"


class Kept(logging.Handler):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        assert "\n" not in line
        self.lines.append(json.loads(line))


@pytest.fixture
def log() -> Iterator[list[dict[str, Any]]]:
    """What is logged in the meantime."""
    kept, root, requests = Kept(), logging.getLogger(), logging.getLogger("retroflex.requests")
    root.addHandler(kept)
    requests.setLevel(logging.INFO)
    yield kept.lines
    root.removeHandler(kept)
    requests.setLevel(logging.NOTSET)


def client_of(library: Library, captioner: Any, **log: bool) -> FlaskClient:
    app = create_app(library, lambda: captioner, log=Log(requests=True, **log))
    app.add_url_rule("/streamed", view_func=lambda: Response(bytes([one]) for one in STREAMED))
    return app.test_client()


def test_a_request_is_one_line(library: Library, captioner: Any, log: list[dict[str, Any]]) -> None:
    answer = client_of(library, captioner).get("/api/v1/search?q=secret\nword", buffered=True)
    (line,) = log
    assert list(line) == ["time", "id", "method", "path", "status", "ms", "bytes"]
    assert line["id"] == answer.headers["X-Request-Id"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/search", 200)
    assert line["bytes"] == len(answer.data)
    assert 0 < line["ms"] < 10_000
    assert "secret" not in json.dumps(line)


def test_what_was_searched_for_is_logged_on_demand(library: Library, captioner: Any, log: list[Any]) -> None:
    client_of(library, captioner, queries=True).get("/api/v1/search?q=red%0Aboat", buffered=True)
    assert log[0]["query"] == "q=red%0Aboat"


@pytest.mark.parametrize("path", ["/streamed", "/api/v1/pictures/1/thumbnail", "/nowhere"])
def test_bytes_are_counted_however_they_are_sent(library: Library, captioner: Any, log: list[Any], path: str) -> None:
    answer = client_of(library, captioner).get(path, buffered=True)
    assert log[0]["bytes"] == len(answer.data) > 0


def test_a_fault_is_logged_under_its_request(
    library: Library, captioner: Any, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("inner")

    monkeypatch.setattr(Store, "pictures", fault)
    answer = client_of(library, captioner).get("/api/v1/pictures/1", buffered=True)
    fault_line, request_line = log
    assert fault_line["id"] == request_line["id"] == answer.headers["X-Request-Id"]
    assert (fault_line["level"], request_line["status"]) == ("error", 500)
    assert "ZeroDivisionError" in fault_line["traceback"]


def test_without_the_flag_nothing_is_logged(client: FlaskClient, log: list[Any]) -> None:
    client.get("/api/v1/search?q=red", buffered=True)
    assert log == []


def test_every_answer_has_an_id_of_its_own(client: FlaskClient) -> None:
    sent = {"X-Request-Id": "chosen by the client"}
    ids = [client.get(path, headers=sent).headers["X-Request-Id"] for path in ("/", "/", "/nowhere", "/healthz")]
    assert len({*ids, "chosen by the client"}) == 5
