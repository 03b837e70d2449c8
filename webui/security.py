"""Guards against other web sites: what they may make a visitor's browser do with this server."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request

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


def is_loopback(host: str) -> bool:
    """Tell whether `host` (a name or an IP address without port) is this very machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def protect(app: Flask, local_only: bool) -> None:
    """Set the security headers on every answer of `app`, and refuse what another site set in motion.

    With `local_only` a request must name this machine as its host: a site that points its own name at 127.0.0.1
    (DNS rebinding) is refused.
    """
    if local_only:
        app.before_request(_require_loopback_host)
    app.before_request(_require_same_origin)
    app.after_request(_add_headers)


def _require_loopback_host() -> None:
    if not is_loopback(_hostname(f"//{request.host}")):
        raise Problem(HTTPStatus.FORBIDDEN, "this server answers to localhost only; open it as http://127.0.0.1")


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
