"""The log as JSON, one object per line, and one id per request: in its answer, its problem document and the log."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from flask import Flask, Response, g, has_request_context, request

HEADER = "X-Request-Id"


def new_id() -> str:
    """Return a new id, a random UUID. A client's own is ignored: it could write into the log."""
    return str(uuid.uuid4())


def request_id() -> str:
    """Return the id of the present request."""
    if "request_id" not in g:
        g.request_id = new_id()
    return str(g.request_id)


def current_id() -> str | None:
    """Return the id of the present request, None outside of one."""
    return request_id() if has_request_context() else None


def add_request_ids(app: Flask) -> None:
    """Add the id to every answer of `app`."""
    app.after_request(_add_id)


def _add_id(response: Response) -> Response:
    response.headers[HEADER] = request_id()
    return response


_requests = logging.getLogger("retroflex.requests")


@dataclass(frozen=True)
class Log:
    """Whether requests are logged, and with them what was searched for."""

    requests: bool = False
    queries: bool = False


QUIET = Log()


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time (UTC), level, message, the request's id where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": _iso(record.created)}
        if hasattr(record, "request"):
            return json.dumps(line | cast(dict[str, Any], record.request))
        line |= {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line | ({"id": id_} if (id_ := current_id()) else {}))


def log_as_json() -> None:
    """Write the whole process's log to standard error as JSON, requests included."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _requests.setLevel(logging.INFO)


def log_requests(app: Flask, queries: bool) -> None:
    """Log each request of `app` once its answer is sent; with `queries` also what was searched for."""

    def begin() -> None:
        g.began = time.perf_counter()

    def watch(response: Response) -> Response:
        line = {"id": request_id(), "method": request.method, "path": request.path}
        line |= {"query": request.query_string.decode("latin-1")} if queries else {}
        began = g.get("began", time.perf_counter())
        counted = _Counted(response.response)
        response.response = counted
        response.call_on_close(lambda: _write(line, response.status_code, began, counted.bytes))
        return response

    app.before_request(begin)
    app.after_request(watch)


class _Counted:
    """Passes on the parts of an answer, without buffering, and counts their bytes."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts
        self.bytes = 0

    def __iter__(self) -> Iterator[Any]:
        for part in cast(Iterable[Any], self._parts):
            self.bytes += len(part)
            yield part

    def close(self) -> None:
        if hasattr(self._parts, "close"):
            self._parts.close()


def _write(line: dict[str, Any], status: int, began: float, size: int) -> None:
    took = {"status": status, "ms": round(1e3 * (time.perf_counter() - began), 2), "bytes": size}
    _requests.info("", extra={"request": line | took})


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
