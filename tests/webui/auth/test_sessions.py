"""The end of sessions, what browsers may keep, damaged keys, and tokens that child processes must not see."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from data.errors import RetroflexError
from retrieval.library import Library
from tests.webui.api_checks import SEARCH, problem
from webui.app import create_app
from webui.auth import keys
from webui.auth.access import LIFE
from webui.auth.keys import hide_token, read_keys, set_password
from webui.auth.rates import RateLimits
from webui.auth.security import Reach

PASSWORD = "four words of mine"
VERSIONED = "/api/v1/pictures/1/thumbnail?v=x"


@pytest.fixture
def folder(library: Library) -> Path:
    set_password(library.settings.library, PASSWORD)
    return library.settings.library


def process(library: Library, captioner: Any) -> FlaskClient:
    """A client of a further server process over the same library."""
    limits = RateLimits(lambda: 60.0 * time.monotonic())
    return create_app(library, lambda: captioner, Reach("0.0.0.0"), rate_limits=limits).test_client()


def log_in(client: FlaskClient) -> str:
    assert client.post("/login", data={"password": PASSWORD}).status_code == 303
    cookie = client.get_cookie("retroflex")
    assert cookie is not None
    return cookie.value


def status_with(client: FlaskClient, cookie: str) -> int:
    client.set_cookie("retroflex", cookie)
    return client.get(SEARCH, query_string={"q": "red"}).status_code


def test_a_copied_cookie_ends_with_its_session_everywhere(library: Library, captioner: Any, folder: Path) -> None:
    one, other = process(library, captioner), process(library, captioner)
    copied, second = log_in(one), log_in(other)
    assert status_with(other, copied) == 200
    assert one.post("/logout").status_code == 303
    assert [status_with(client, copied) for client in (one, other, process(library, captioner))] == [401] * 3
    assert status_with(one, second) == 200, "another session goes on"


def test_ended_sessions_are_forgotten_when_their_cookies_have_expired(
    library: Library, captioner: Any, folder: Path
) -> None:
    client = process(library, captioner)
    log_in(client)
    client.post("/logout")
    (first,) = (folder / "ended-sessions").iterdir()
    assert "Log out" not in client.get("/login").text
    long_ago = time.time() - LIFE.total_seconds() - 60
    os.utime(first, (long_ago, long_ago))
    log_in(client)
    client.post("/logout")
    assert not first.exists()


def test_a_browser_forgets_at_log_out(library: Library, captioner: Any, folder: Path) -> None:
    client = process(library, captioner)
    log_in(client)
    assert "Clear-Site-Data" not in client.get("/").headers
    assert client.post("/logout").headers["Clear-Site-Data"] == '"cache", "storage"'
    assert 'autocomplete="username"' in client.get("/login").text


def test_a_logout_that_cannot_be_stored_says_so(library: Library, captioner: Any, folder: Path) -> None:
    client = process(library, captioner)
    log_in(client)
    (folder / "ended-sessions").write_text("in the way")
    answer = client.post("/logout")
    assert (answer.status_code, "logged out here only" in answer.text) == (503, True)


def test_log_out_without_a_password_leads_to_the_start(client: FlaskClient) -> None:
    answer = client.post("/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_nothing_private_is_kept_by_a_browser(library: Library, captioner: Any, folder: Path) -> None:
    client = process(library, captioner)
    log_in(client)
    for address in ("/", "/library", f"{SEARCH}?q=red", VERSIONED, "/api/v1/pictures/1/file", "/nowhere", "/login"):
        assert client.get(address).headers["Cache-Control"] == "no-store", address
    assert client.get("/static/page.js").headers["Cache-Control"] != "no-store"


def test_without_a_password_a_versioned_picture_is_kept(client: FlaskClient) -> None:
    assert "immutable" in client.get(VERSIONED).headers["Cache-Control"]


DAMAGED = [
    "{",
    "",
    "null",
    "[]",
    "\x00",
    "[" * 5000,
    '{"password": 5}',
    '{"password": "plain"}',
    '{"password": "scrypt:32768:8$x"}',
    '{"token": "short"}',
    '{"password": ["x"], "secret": {}}',
    '{"secret": "\\u00e4", "token": "é"}',
    '{"surprise": ""}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_one_line_at_start_and_at_login(
    library: Library, captioner: Any, folder: Path, content: str
) -> None:
    client = process(library, captioner)
    (folder / "access.json").write_text(content)
    with pytest.raises(RetroflexError, match=r"access\.json cannot be read; delete it"):
        process(library, captioner)
    for answer in (client.get("/login"), client.post("/login", data={"password": PASSWORD}), client.get("/")):
        assert (answer.status_code, "cannot be read" in answer.text) == (503, True)
    assert "cannot be read" in problem(client.get(SEARCH, query_string={"q": "red"}), 503)


def test_impossible_numbers_in_a_stored_hash_are_one_line(library: Library, captioner: Any, folder: Path) -> None:
    client = process(library, captioner)
    path = folder / "access.json"
    path.write_text(path.read_text().replace("scrypt:32768:8", "scrypt:32767:8"))
    answer = client.post("/login", data={"password": PASSWORD})
    assert (answer.status_code, "set it again" in answer.text) == (503, True)


def test_children_do_not_inherit_the_token(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_environment_tokens", [])
    monkeypatch.setenv("RETROFLEX_TOKEN", "a token of the tests")
    hide_token()
    command = [sys.executable, "-c", "import os; print(os.environ.get('RETROFLEX_TOKEN'))"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "None\n"
    assert read_keys(library.settings.library).opens_by_token("a token of the tests")
