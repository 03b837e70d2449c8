"""The head of a request is checked before its body is read: login, host, origin, address and length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request

from webui.problems import Problem
from webui.request.search_request import ENVELOPE
from webui.request.values import size_in_words

HEAD_ONLY = "retroflex.head"
"""The server puts a HeadOnly under this name into a WSGI environment to have only the head checked."""


@dataclass
class HeadOnly:
    """The head of a request whose body is still to come; `length` in bytes is None for a body in chunks.

    The application sets `accepted`, and with it `cap`, the most bytes that it reads. Otherwise what it returns is the
    answer.
    """

    length: int | None
    accepted: bool = False
    cap: int = 0


def add_head_check(app: Flask) -> None:
    """Make `app` check heads; it must be added before proxies' headers are applied."""
    whole = app.wsgi_app

    def check_or_answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        head = environ.get(HEAD_ONLY)
        if head is None:
            return whole(environ, start_response)
        refusal = _refusal(app, environ, head)
        return refusal(environ, start_response) if refusal else ()

    app.wsgi_app = check_or_answer  # type: ignore[method-assign]


def _refusal(app: Flask, environment: dict[str, Any], head: HeadOnly) -> Response | None:
    """Return the answer to a refused head, made as for a whole request."""
    with app.request_context(environment):
        try:
            answer = app.preprocess_request()
            if answer is None:
                _accept(head)
                return None
        except Exception as error:
            answer = app.handle_user_exception(error)
        return app.process_response(app.make_response(answer))


def _accept(head: HeadOnly) -> None:
    """Raise Problem 413, or the routing's own exception where nothing is at this address."""
    if request.routing_exception is not None:
        raise request.routing_exception
    cap = request.max_content_length or 0
    if (head.length or 0) > cap:
        most = cap - ENVELOPE if cap > ENVELOPE else cap
        detail = f"the upload is too large: at most {size_in_words(most)} can be uploaded"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
    head.accepted, head.cap = True, cap
