"""The head of a request: checked before a byte of its body is read, and turned into a WSGI environment."""

from __future__ import annotations

import io
import re
import sys
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from tornado.httputil import HTTPHeaders, RequestStartLine

LONGEST_HEAD = 64 * 1024
"""Bytes of all header lines and the address."""
_LONGEST_LENGTH = 18
"""Digits of a Content-Length."""
_OF_PROXIES = ("X-Forwarded-", "Forwarded", "X-Real-Ip")

Environment = dict[str, Any]


class Refused(Exception):
    """The server itself refuses a request, before the application sees it."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Head(NamedTuple):
    """A checked head. `length` is the body's in bytes, None where only its end will tell."""

    environment: Environment
    length: int | None


def read_head(
    start_line: RequestStartLine, headers: HTTPHeaders, client: str, server: tuple[str, int], behind_proxy: bool
) -> Head:
    """Check a request's head and make its environment, with an empty body.

    `client` is the address of the other side, `server` host and port of this one. Headers of proxies are left out
    unless the server is behind one, and so are names with an underscore, which WSGI could not tell from those with a
    hyphen. Raise Refused.
    """
    if len(start_line.path) + sum(len(name) + len(value) + 4 for name, value in headers.get_all()) > LONGEST_HEAD:
        raise _refused("the request's head is too large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    path, query, host = _target(start_line.path, start_line.method)
    length = _body_length(start_line, headers)
    environment: Environment = {
        "REQUEST_METHOD": start_line.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": start_line.version,
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    environment |= _header_variables(headers, behind_proxy)
    given = headers.get_list("Host")
    if len(given) > 1 or not (given or start_line.version == "HTTP/1.0"):
        raise _refused("the request must have one Host")
    if host:
        environment["HTTP_HOST"] = host
    if length:
        environment["CONTENT_LENGTH"] = str(length)
    return Head(environment, length)


def _target(target: str, method: str) -> tuple[str, str, str]:
    """Return path, query and, of a complete address as proxies send it, the host. Raise Refused."""
    if target.startswith("/") or (target == "*" and method == "OPTIONS"):
        path, _, query = target.partition("?")
        return path, _ascii(query), ""
    try:
        parts = urlsplit(target)
        _ = parts.port
    except ValueError as error:  # such as an open bracket
        raise _refused("the request names no address that can be read") from error
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise _refused("the request must name a path, such as /")
    return parts.path or "/", _ascii(parts.query), parts.netloc


def _ascii(query: str) -> str:
    """Return a query with bytes that are not ASCII in percent notation, as Werkzeug requires UTF-8 of the others."""
    return re.sub("[\x80-\xff]", lambda found: f"%{ord(found[0]):02X}", query)


def _body_length(start_line: RequestStartLine, headers: HTTPHeaders) -> int | None:
    """Return the length of the body in bytes, 0 without one, None where it comes in chunks. Raise Refused.

    Two readers of one connection, such as a proxy and this server, must never disagree on where a request ends.
    """
    lengths, codings = headers.get_list("Content-Length"), headers.get_list("Transfer-Encoding")
    if codings:
        if lengths:
            raise _refused("a request with Transfer-Encoding must not have a Content-Length")
        if [coding.lower() for coding in codings] != ["chunked"] or start_line.version != "HTTP/1.1":
            raise _refused("the only Transfer-Encoding that is read is chunked, in HTTP/1.1")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
        raise _refused("Content-Length must be one whole number")
    if len(lengths[0]) > _LONGEST_LENGTH:
        raise _refused("the body is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return int(lengths[0])


def _header_variables(headers: HTTPHeaders, behind_proxy: bool) -> Environment:
    variables: Environment = {}
    for name, value in headers.get_all():
        if "_" in name or name in {"Content-Length", "Transfer-Encoding"}:
            continue
        if name.startswith(_OF_PROXIES) and not behind_proxy:
            continue
        variable = "CONTENT_TYPE" if name == "Content-Type" else f"HTTP_{name.replace('-', '_').upper()}"
        between = "; " if name == "Cookie" else ","
        variables[variable] = between.join(filter(None, (variables.get(variable), value)))
    return variables


def _refused(detail: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Refused:
    return Refused(status, detail)
