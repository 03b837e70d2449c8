"""Errors as answers: application/problem+json (RFC 9457) for programs, the page with a message for people."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import NamedTuple

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from data.albums.albums import AlbumError, UnknownAlbum
from data.decoding.pool import DecoderUnavailable
from data.errors import NotAPicture, PictureDamaged, PictureError, PictureTooLarge, RetroflexError
from data.store_errors import StoreError, UnknownPicture
from retrieval.search.query import QueryError
from webui.telemetry.logs import HEADER, new_id, request_id

PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
"""Prefixes of the addresses for programs; these answer with problem documents, and are described."""

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = 2
"""Seconds after which a client may try again after a 503."""

_STATUS_OF: tuple[tuple[type[RetroflexError], HTTPStatus], ...] = (
    (QueryError, HTTPStatus.BAD_REQUEST),
    (DecoderUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (PictureTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (PictureDamaged, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotAPicture, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (UnknownPicture, HTTPStatus.NOT_FOUND),
    (UnknownAlbum, HTTPStatus.NOT_FOUND),
    (AlbumError, HTTPStatus.CONFLICT),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
)

_DETAIL_OF = {
    400: "the request could not be understood; check its fields",
    404: "there is nothing at this address",
    405: "this address does not support that method",
    413: "the upload is larger than the server accepts",
}

_log = logging.getLogger(__name__)


class Problem(RetroflexError):
    """An error that carries its HTTP status; the message is one line for a person.

    `retry_after` (seconds) says when to try again; with 503 the default is RETRY_AFTER.
    """

    def __init__(self, status: HTTPStatus, detail: str, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


def document(status: int, detail: str, instance: str) -> dict[str, object]:
    """Return the problem document; `instance` is the request's id."""
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return problem | {"instance": f"urn:uuid:{instance}"}


class Whole(NamedTuple):
    """A whole answer: status line without the version of HTTP, headers, body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def outside_application(status: int, detail: str) -> Whole:
    """Return the answer to a request that does not reach the application, with an id of its own."""
    number = new_id()
    body = json.dumps(document(status, detail, number)).encode()
    headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))), (HEADER, number)]
    return Whole(f"{HTTPStatus(status).value} {HTTPStatus(status).phrase}", headers, body)


def for_a_person() -> bool:
    """Return whether the present request is for a page, not from a program."""
    return not request.path.startswith((*PROGRAMS, "/static/", "/favicon.ico", "/service-worker.js"))


def register(app: Flask) -> None:
    """Turn every error of `app` into an answer: a page for people, a problem document for programs."""
    app.register_error_handler(RetroflexError, _on_known)
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(Exception, _on_fault)


def _on_known(error: RetroflexError) -> Response:
    detail = f"the file {error}" if isinstance(error, PictureError) else str(error)
    status = _status_of(error)
    answer = _answer(status, detail)
    wait = error.retry_after if isinstance(error, Problem) else None
    if wait is None and status == HTTPStatus.SERVICE_UNAVAILABLE:
        wait = RETRY_AFTER
    if wait is not None:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _on_http(error: HTTPException) -> Response:
    response = error.get_response()
    if response.status_code < 400:
        return Response(response.data, response.status_code, response.headers)
    detail = _DETAIL_OF.get(response.status_code, error.description or "the request failed")
    answer = _answer(response.status_code, detail)
    if "Allow" in response.headers:
        answer.headers["Allow"] = response.headers["Allow"]
    return answer


def _on_fault(error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.path, exc_info=error)
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "an error in the server; its log says more")


def _status_of(error: RetroflexError) -> HTTPStatus:
    if isinstance(error, Problem):
        return error.status
    for kind, status in _STATUS_OF:
        if isinstance(error, kind):
            return status
    return HTTPStatus.SERVICE_UNAVAILABLE


def _answer(status: int, detail: str) -> Response:
    if for_a_person():
        return Response(render_template("message.html", message=detail, words=request.args.get("q", "")), status)
    body = json.dumps(document(status, detail, request_id()))
    answer = Response(body, status, mimetype=MEDIA_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="Retroflex"'
    return answer
