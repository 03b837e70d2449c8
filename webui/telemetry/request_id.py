"""One id for each request: in its answer, in its problem document and in the log."""

from __future__ import annotations

import uuid

from flask import Flask, Response, g, has_request_context

HEADER = "X-Request-Id"


def new_id() -> str:
    """Return a new id, a random UUID. What a client sends is not taken: it would write into the log."""
    return str(uuid.uuid4())


def request_id() -> str:
    """Return the id of the present request."""
    if "request_id" not in g:
        g.request_id = new_id()
    return str(g.request_id)


def present_id() -> str | None:
    """Return the id of the present request, None outside of any."""
    return request_id() if has_request_context() else None


def tell_ids(app: Flask) -> None:
    """Put the id into every answer of `app`."""
    app.after_request(_tell)


def _tell(response: Response) -> Response:
    response.headers[HEADER] = request_id()
    return response
