"""Requests byte by byte against the real server: what is read, what is refused, and how."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from flask import Response, request
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retrieval.library import Library
from webui.app import create_app
from webui.auth.keys import make_token, set_password
from webui.auth.security import Reach
from webui.serving import exchange, server

HEAD = b"Host: localhost\r\n"


class Answer(NamedTuple):
    status: int
    head: str
    body: bytes

    def detail(self) -> str:
        assert "application/problem+json" in self.head
        document = json.loads(self.body)
        assert document["status"] == self.status
        assert document["instance"].startswith("urn:uuid:")
        return str(document["detail"])


def connect(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def ask(address: str, *sent: bytes, seconds: float = 5) -> Answer:
    """Send bytes and return the first answer that is not "100 Continue"; status 0 where none comes."""
    with connect(address) as client:
        client.settimeout(seconds)
        for part in sent:
            client.sendall(part)
        return answer_of(client, sent[0].partition(b" ")[0].decode("latin-1"))


def answer_of(client: socket.socket, method: str = "GET") -> Answer:
    answer = http.client.HTTPResponse(client, method=method)
    try:
        answer.begin()
    except (TimeoutError, http.client.BadStatusLine, ConnectionResetError):
        return Answer(0, "", b"")
    return Answer(answer.status, str(answer.headers), answer.read())


def everything(client: socket.socket) -> bytes:
    content = b""
    try:
        while part := client.recv(65536):
            content += part
    except ConnectionResetError:
        pass
    return content


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (
            b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Content-Length",
        ),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "chunked"),
        (b"POST / HTTP/1.0\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n", "chunked"),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", "Content-Length"),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: +4\r\n\r\nabcd", "Content-Length"),
        (b"GET / HTTP/1.1\r\n\r\n", "Host"),
        (b"GET / HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n", "Host"),
        (b"GET http://[ HTTP/1.1\r\n" + HEAD + b"\r\n", "address"),
        (b"GET http://localhost:x/ HTTP/1.1\r\n" + HEAD + b"\r\n", "address"),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + HEAD + b"\r\n", "path"),
        (b"GET ftp://localhost/ HTTP/1.1\r\n" + HEAD + b"\r\n", "path"),
        (b"GET / HTTP/1.1\r\n" + HEAD + b" folded: x\r\n\r\n", "HTTP"),
        (b"GET / HTTP/3.0\r\n" + HEAD + b"\r\n", "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "HTTP"),
    ],
)
def test_what_cannot_be_read_for_certain_is_a_400_problem(address: str, sent: bytes, said: str) -> None:
    answer = ask(address, sent)
    assert answer.status == 400
    assert said in answer.detail()


def test_too_large_a_head_is_a_431_problem(address: str) -> None:
    answer = ask(address, b"GET /healthz HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n")
    assert (answer.status, "too large" in answer.detail()) == (431, True)


def test_a_complete_address_is_read_as_proxies_send_it(address: str) -> None:
    assert ask(address, b"GET http://localhost/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 200
    assert ask(address, b"GET http://evil.example/healthz HTTP/1.1\r\n" + HEAD + b"\r\n").status == 403


def test_a_body_in_chunks_is_read(library: Library, captioner: Any, serving: Any) -> None:
    app = create_app(library, lambda: captioner)
    app.add_url_rule("/echo", methods=["POST"], view_func=lambda: Response(request.get_data()))
    with serving(app) as at:
        head = b"POST /echo HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        assert ask(at, head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n").body == b"abcde"
        endless = b"%x\r\n%b\r\n" % (2**18, b"x" * 2**18)
        assert "larger" in ask(at, head, endless * 3).detail()


def test_nothing_is_waited_for_where_nothing_will_come(address: str) -> None:
    """`Expect: 100-continue` is answered before a body only, and refused at once where the head is."""
    with connect(address) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        assert everything(client).startswith(b"HTTP/1.1 200")
    with connect(address) as client:
        client.sendall(
            b"POST /api/v1/search HTTP/1.1\r\n" + HEAD + b"Expect: 100-Continue\r\nContent-Length: 9\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(b"ninebytes")
        assert client.recv(9999).startswith(b"HTTP/1.1 415")
    with connect(address) as client:
        client.sendall(
            b"POST /api/v1/search HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
        )
        assert everything(client).startswith(b"HTTP/1.1 413")
    assert ask(address, b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Expect: tea\r\n\r\n").status == 417


def test_an_answer_without_a_length_ends_with_the_connection_for_http_1_0(
    library: Library, captioner: Any, serving: Any
) -> None:
    app = create_app(library, lambda: captioner)
    app.add_url_rule("/parts", view_func=lambda: Response(iter([b"one ", b"two"])))
    with serving(app) as at, connect(at) as client:
        client.sendall(b"GET /parts HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        assert answer_of(client).body == b"one two"


def test_head_ranges_and_304(address: str) -> None:
    get = b"GET /api/v1/pictures/1/file HTTP/1.1\r\n" + HEAD
    whole = ask(address, get + b"\r\n")
    tag = next(line for line in whole.head.splitlines() if line.lower().startswith("etag: "))[6:]
    unchanged = ask(address, get + f"If-None-Match: {tag}\r\n\r\n".encode())
    assert (unchanged.status, unchanged.body) == (304, b"")
    head = ask(address, get.replace(b"GET", b"HEAD") + b"\r\n")
    assert (head.status, head.body) == (200, b"")
    assert f"Content-Length: {len(whole.body)}" in head.head


@pytest.fixture
def guarded(library: Library, captioner: Any, serving: Callable[..., Any]) -> Iterator[str]:
    """A server that requires login."""
    set_password(library.settings.library, "four words of mine")
    with serving(create_app(library, lambda: captioner, Reach("0.0.0.0"))) as at:
        yield at


@pytest.mark.parametrize("path", ["/api/v1/search", "/", "/api/v1/export", "/nowhere", "/api/v1/nowhere"])
def test_login_is_checked_before_a_body_is_read(guarded: str, path: str) -> None:
    with connect(guarded) as client:
        client.sendall(b"POST %b HTTP/1.1\r\n" % path.encode() + HEAD + b"Content-Length: 200000\r\n\r\nonly this")
        answer = client.recv(99)
    assert answer[9:12] == (b"401" if path.startswith("/api") else b"303")


def test_a_login_form_is_short(guarded: str, library: Library) -> None:
    post = b"POST %b HTTP/1.1\r\n" + HEAD + b"%bContent-Length: 200000\r\n\r\n"
    with connect(guarded) as client:
        client.sendall(post % (b"/login", b""))
        assert client.recv(99)[9:12] == b"413"
    token = make_token(library.settings.library).encode()
    answer = ask(guarded, post % (b"/api/v1/search", b"Authorization: Bearer %b\r\n" % token) + b"x" * 200_000)
    assert answer.status == 415, "who is let in may send as much"


def test_a_slow_head_and_a_slow_body_end(
    library: Library, captioner: Any, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.6)
    monkeypatch.setattr(exchange, "BODY_SECONDS", 0.6)
    with serving(create_app(library, lambda: captioner)) as at:
        for head in (b"GET /", b"POST /api/v1/search HTTP/1.1\r\n" + HEAD + b"Content-Length: 999\r\n\r\n"):
            with connect(at) as client:
                client.sendall(head)
                began = time.monotonic()
                with pytest.raises(ConnectionError):
                    trickle(client)
                assert time.monotonic() - began < 5


def trickle(client: socket.socket) -> None:
    for _ in range(100):
        client.sendall(b"x")
        time.sleep(0.1)


def words(text: str) -> Any:
    return st.sampled_from(text.split())


NAMES = words(
    "Host Origin Cookie Authorization Range If-Range If-None-Match If-Modified-Since Accept Content-Type Expect "
    "Referer Content-Length Transfer-Encoding Connection Sec-Fetch-Site X-Forwarded-Prefix Accept-Encoding"
) | st.text("abcXYZ-_!1", min_size=1, max_size=9)
VALUES = words(
    """localhost http://[ [ bytes=0- bytes=9-1,x "x" W/ Bearer Basic_= chunked 0 7 application/json multipart/form-data
    multipart/form-data;boundary=\xff 100-continue x;charset=% retroflex=.a.b;==; close"""
) | st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=20)
PATHS = words(
    """/ /login /logout /export /library /duplicates /picture/1 /static/page.js /static/%00 * http://[ //evil/
    /api/v1/search /api/v1/pictures/1 /api/v1/pictures/1/file /api/v1/pictures/1/caption /api/v1/export
    /api/v1/library/folders /api/v1/library/places /api/v1/duplicates/near-x"""
) | st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1, max_size=12)
QUERIES = words(
    """? ?q=%00 ?q=%ED%A0%80 ?q=%FF ?q=a&q=b ?like=1@ ?limit=-1 ?from=2024-99-99 ?in=%00 ?&&==; ?format=zip
    ?format=csv&q=red ?kind=near ?next=http://[ ?v=1 ?at=1&q=red ?nothing=1"""
) | st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=12).map(lambda text: f"?{text}")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["csv", "\ud800", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words("text ids format keep place folder recaption"), inner)
    ),
    max_leaves=6,
)
BODIES = (
    st.binary(max_size=40)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"[" * 1000, b'{"a":' * 1000, b"do=save&text=%00", b"password=%FF", b"9" * 5000])
)
METHODS = words("GET POST PUT DELETE HEAD OPTIONS PATCH TRACE CONNECT X")
KINDS = words("application/json application/x-www-form-urlencoded multipart/form-data;boundary=x")
HASTE = 2.0
FUZZING: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture
def hasty(library: Library, captioner: Any, serving: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that soon ends a request that does not: a client may wait until it does."""
    monkeypatch.setattr(server, "HEAD_SECONDS", HASTE)
    monkeypatch.setattr(exchange, "BODY_SECONDS", HASTE)
    with serving(create_app(library, lambda: captioner)) as at:
        yield at


@pytest.mark.slow
def test_no_request_whatever_is_a_5xx(hasty: str) -> None:
    statuses: Counter[int] = Counter()

    @settings(max_examples=300, **FUZZING)
    @given(METHODS, st.tuples(PATHS, QUERIES).map("".join), st.dictionaries(NAMES, VALUES, max_size=4), KINDS, BODIES)
    @example("POST", "/logout", {}, "", b"")
    @example("POST", "/", {"Origin": "http://["}, "", b"")
    @example("PUT", "/api/v1/pictures/1/caption", {}, "application/json", b"[" * 1000)
    @example("GET", "http://[", {}, "", b"")
    @example("GET", "/?\x80", {}, "", b"")
    def attack(method: str, target: str, headers: dict[str, str], kind: str, body: bytes) -> None:
        usual = {"Host": "localhost", "Content-Type": kind, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in (usual | headers).items())
        sent = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
        answer = ask(hasty, sent, seconds=60)
        statuses[answer.status] += 1
        assert answer.status < 500, (answer.head, answer.body)

    attack()
    assert statuses.total() - statuses[0] > 200, statuses
    assert {200, 400, 405} <= statuses.keys()


@pytest.mark.slow
def test_no_garbage_is_a_5xx(hasty: str) -> None:
    @settings(max_examples=100, **FUZZING)
    @given(st.binary(min_size=1, max_size=200), words("GET_/_HTTP/1.1 POST_/login_HTTP/1.1 -"))
    def attack(garbage: bytes, before: str) -> None:
        line = before.replace("_", " ").encode() + b"\r\n"
        assert ask(hasty, line + garbage + b"\r\n\r\n", seconds=60).status < 500

    attack()
    assert ask(hasty, b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n").status == 200
