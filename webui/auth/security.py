"""Who can reach the server, under which host names, and what other web sites may make a browser do with it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

from webui.problems import Problem, outside_application


@dataclass(frozen=True)
class Reach:
    """Where the server listens, and whether it is behind a proxy.

    `public_names` are host names without port that it answers to besides this machine's own; with `no_password`
    everyone who can reach it has access.
    """

    host: str = "127.0.0.1"
    behind_proxy: bool = False
    public_names: tuple[str, ...] = ()
    no_password: bool = False

    @property
    def local_only(self) -> bool:
        """Whether only this machine can reach it; a proxy forwards requests of others."""
        return is_loopback(self.host) and not self.behind_proxy

    @property
    def login_required(self) -> bool:
        """Whether a password or a token is required."""
        return not (self.local_only or self.no_password)

    def answers_to(self, name: str) -> bool:
        """Return whether a request for this host name (without port) is meant for this server.

        A site that points its own name at this machine (DNS rebinding) is refused. An IP address cannot be pointed
        elsewhere, and where login is required, that site's visitor has no session under its name.
        """
        if is_loopback(name) or name.lower() in {one.lower() for one in self.public_names}:
            return True
        if self.public_names or self.behind_proxy or is_loopback(self.host):
            return False
        return self.login_required or _is_address(name) or name.lower() in _own_names()


LOCAL = Reach()


def is_loopback(host: str) -> bool:
    """Return whether `host` (a name or an IP address without port) is this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, f"{name}.local"}


_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[\w.~!$&'()*+;=:@%-]+)*/?", re.ASCII)
"""A path of names; with two slashes in a row a browser would take it for the address of another site."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers send forms with "Origin: null"
    "X-Content-Type-Options": "nosniff",
}


def protect(app: Flask, reach: Reach) -> None:
    """Set the security headers on every answer of `app`, and refuse requests that another site caused.

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
    return f"this server does not answer to the name {name!r}; add --public-name with that name if it should"


def _require_same_origin() -> None:
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    if site not in {"same-origin", "none"} or (origin and _netloc(origin) != request.host):
        raise Problem(HTTPStatus.FORBIDDEN, "another web site sent this request; use the server's own page")


def _hostname(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # such as an open bracket
        return ""


def _netloc(address: str) -> str:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def trust_proxy(app: Flask) -> None:
    """Make `app` believe the headers of the one proxy before it, unless they could lead to another site."""
    behind = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)

    def check_prefix(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        prefix = environ.get("HTTP_X_FORWARDED_PREFIX", "").rpartition(",")[2].strip()
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "http").rpartition(",")[2].strip()
        if _PREFIX.fullmatch(prefix) and scheme in {"http", "https"}:
            return behind(environ, start_response)
        detail = (
            "the proxy sent an X-Forwarded-Prefix that is no path, or an X-Forwarded-Proto other than http or https"
        )
        problem = outside_application(HTTPStatus.BAD_REQUEST, detail)
        return Response(problem.body, problem.status, [*problem.headers, *HEADERS.items()])(environ, start_response)

    app.wsgi_app = check_prefix  # type: ignore[method-assign]


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
