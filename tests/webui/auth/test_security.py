"""What other web sites may make a browser do."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from flask.testing import FlaskClient

from retrieval.library import Library
from webui.app import create_app
from webui.auth.security import HEADERS, Reach, is_loopback


@pytest.mark.parametrize("address", ["/", "/?q=", "/api/v1/pictures/1/thumbnail", "/static/page.js", "/nowhere"])
def test_every_answer_carries_the_headers(client: FlaskClient, address: str) -> None:
    headers = client.get(address).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.7:8000", "[", "a b", "[::2]"])
def test_another_host_name_is_refused(client: FlaskClient, host: str) -> None:
    response = client.get("/api/v1/search?q=red", headers={"Host": host})
    assert response.status_code in {400, 403}
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
def test_this_machine_is_let_in(client: FlaskClient, host: str) -> None:
    assert client.get("/api/v1/search?q=red", headers={"Host": host}).status_code == 200


PRIVATE = Reach("0.0.0.0", no_password=True)


@pytest.mark.parametrize(
    ("reach", "host", "answered"),
    [
        (PRIVATE, "192.168.1.7:8000", True),
        (PRIVATE, socket.gethostname(), True),
        (PRIVATE, "evil.example", False),
        (Reach("0.0.0.0"), "pictures.example", True),
        (Reach("0.0.0.0", public_names=("pictures.example",)), "PICTURES.example:8000", True),
        (Reach("0.0.0.0", public_names=("pictures.example",)), "evil.example", False),
        (Reach(behind_proxy=True, public_names=("pictures.example",)), "pictures.example", True),
        (Reach(behind_proxy=True), "pictures.example", False),
        (Reach(public_names=("pictures.local",)), "pictures.local", True),
    ],
)
def test_only_its_own_names_are_answered_to(
    library: Library, captioner: Any, monkeypatch: pytest.MonkeyPatch, reach: Reach, host: str, answered: bool
) -> None:
    monkeypatch.setenv("RETROFLEX_TOKEN", "a token of the tests")
    client = create_app(library, lambda: captioner, reach).test_client()
    answer = client.get("/healthz", headers={"Host": host})
    assert answer.status_code == (200 if answered else 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://localhost:9"},
    ],
)
def test_a_post_from_another_site_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/api/v1/search", data={"image": "x"}, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}])
def test_a_post_from_the_page_or_a_program_is_taken(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post("/api/v1/search", data={}, content_type="multipart/form-data", headers=headers)
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.168.0.1", False),
        ("localhost.evil", False),
    ],
)
def test_loopback_is_known(host: str, local: bool) -> None:
    assert is_loopback(host) is local
