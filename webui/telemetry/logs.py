"""The log as JSON, one object a line: requests, and whatever else the server has to say."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from flask import Flask, Response, g, request

from webui.telemetry.request_id import present_id, request_id

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
        told: dict[str, Any] = {"time": _iso(record.created)}
        if hasattr(record, "request"):
            return json.dumps(told | cast(dict[str, Any], record.request))
        told |= {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told | ({"id": id_} if (id_ := present_id()) else {}))


def log_as_json() -> None:
    """Write the whole process's log to standard error as JSON, requests included."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _requests.setLevel(logging.INFO)


def log_requests(app: Flask, queries: bool) -> None:
    """Log each request of `app` once its answer is sent; what was searched for only with `queries`."""

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
    """Passes the parts of an answer on as they come, none held back, and counts their bytes."""

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
