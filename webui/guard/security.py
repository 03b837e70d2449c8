"""Guards against other web sites: what they may make a visitor's browser do with this server."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, Response, request

from webui.guard.reach import Reach
from webui.problems import Problem

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with "no-referrer" a form without script would be sent with "Origin: null"
    "X-Content-Type-Options": "nosniff",
}


def protect(app: Flask, reach: Reach) -> None:
    """Set the security headers on every answer of `app`, and refuse what another site set in motion.

    A request must name a host that the server answers to, see `Reach.answers_to`.
    """

    def require_host() -> None:
        name = _hostname(f"//{request.host}")
        if not reach.answers_to(name):
            raise Problem(HTTPStatus.FORBIDDEN, _other_host(reach, name))

    app.before_request(require_host)
    app.before_request(_require_same_origin)
    app.after_request(_add_headers)


def _other_host(reach: Reach, name: str) -> str:
    if reach.local_only and not reach.public_names:
        return "this server answers to localhost only; open it as http://127.0.0.1"
    return f"this server does not answer to the name {name!r}; start it with --public-name and that name if it should"


def _require_same_origin() -> None:
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    if site not in {"same-origin", "none"} or (origin and urlsplit(origin).netloc != request.host):
        raise Problem(HTTPStatus.FORBIDDEN, "another web site sent this request; use the server's own page")


def _hostname(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # such as an open bracket
        return ""


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
