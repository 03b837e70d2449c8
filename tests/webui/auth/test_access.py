"""Who is let in from other machines: sessions, tokens, and nobody else."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from data.errors import RetroflexError
from retrieval.library import Library
from tests.webui.api_checks import SEARCH, problem
from webui.app import create_app
from webui.auth import access
from webui.auth.access import LIFE
from webui.auth.keys import make_token, read_keys, remove_token, set_password
from webui.auth.rates import RateLimits
from webui.auth.security import Reach

OPEN_TO_ALL = Reach("0.0.0.0")
PASSWORD = "four words of mine"
FORM = {"password": PASSWORD, "next": "/?q=red"}


@pytest.fixture
def folder(library: Library) -> Path:
    """A library's folder with a password."""
    set_password(library.settings.library, PASSWORD)
    return library.settings.library


@pytest.fixture
def guarded(library: Library, folder: Path, captioner: Any) -> Flask:
    """An application to which no time passes, as far as guessing goes."""
    return create_app(library, lambda: captioner, OPEN_TO_ALL, rate_limits=RateLimits(lambda: 0.0))


@pytest.fixture
def stranger(guarded: Flask) -> FlaskClient:
    return guarded.test_client()


@pytest.fixture
def friend(guarded: Flask) -> FlaskClient:
    """A browser that has logged in."""
    client = guarded.test_client()
    assert client.post("/login", data=FORM).status_code == 303
    return client


def test_every_address_but_a_few_asks_who_is_there(guarded: Flask) -> None:
    asked = 0
    for rule in guarded.url_map.iter_rules():
        if rule.endpoint in access.OPEN:
            continue
        address = guarded.url_map.bind("localhost").build(rule.endpoint, dict.fromkeys(rule.arguments, 1))
        for method in (rule.methods or set()) - {"HEAD"}:
            answer = guarded.test_client().open(address, method=method)
            assert answer.status_code in {401, 303}, (method, address)
            assert answer.status_code == 401 or answer.headers["Location"].startswith("/login")
            asked += 1
    assert asked > 8


@pytest.mark.parametrize("address", ["/healthz", "/login", "/static/login.css"])
def test_what_is_open_to_all(stranger: FlaskClient, address: str) -> None:
    assert stranger.get(address).status_code == 200


def test_a_program_is_told_how_to_come_in(stranger: FlaskClient) -> None:
    answer = stranger.get(SEARCH, query_string={"q": "red"})
    assert "Bearer" in problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_address_that_does_not_exist_asks_as_well(stranger: FlaskClient) -> None:
    problem(stranger.get("/api/v1/nowhere"), 401)


def test_a_browser_logs_in_and_gets_to_where_it_wanted(stranger: FlaskClient) -> None:
    away = stranger.get("/?q=red&like=2")
    assert (away.status_code, away.headers["Location"]) == (303, "/login?next=/?q%3Dred%26like%3D2")
    page = stranger.get(away.headers["Location"]).text
    assert 'value="/?q=red&amp;like=2"' in page
    back = stranger.post("/login", data={"password": PASSWORD, "next": "/?q=red&like=2"})
    assert (back.status_code, back.headers["Location"]) == (303, "/?q=red&like=2")
    assert stranger.get("/?q=red").status_code == 200
    assert stranger.get(SEARCH, query_string={"q": "red"}).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "evil", "", "/\t/evil.example"],
)
def test_nobody_is_sent_to_another_site(stranger: FlaskClient, wanted: str) -> None:
    answer = stranger.post("/login", data={"password": PASSWORD, "next": wanted})
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("given", ["", "wrong", PASSWORD + " ", "x" * 100_000])
def test_a_wrong_password_is_refused(stranger: FlaskClient, given: str) -> None:
    answer = stranger.post("/login", data={"password": given})
    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (403, None)
    assert "Wrong password" in answer.text


def test_guessing_is_slowed_down(stranger: FlaskClient) -> None:
    statuses = [stranger.post("/login", data={"password": f"guess {number}"}).status_code for number in range(7)]
    assert statuses == [403] * 5 + [429] * 2
    answer = stranger.post("/login", data=FORM)
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (429, True)
    other = stranger.post("/login", data=FORM, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert other.status_code == 303


def test_guessing_tokens_is_slowed_down(stranger: FlaskClient) -> None:
    statuses = [get_with(stranger, f"guess {number}") for number in range(6)]
    assert statuses == [401] * 5 + [429]


def get_with(client: FlaskClient, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return client.get(SEARCH, query_string={"q": "red"}, headers=headers).status_code


def test_the_cookie_is_strict(stranger: FlaskClient) -> None:
    def attributes(site: str) -> list[str]:
        answer = stranger.post("/login", data=FORM, base_url=site)
        return [part.strip() for part in answer.headers["Set-Cookie"].split(";")]

    plain = attributes("http://localhost")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(plain)
    assert any(part.startswith("Expires=") for part in plain)
    assert "Secure" not in plain
    assert "Secure" in attributes("https://localhost")


def test_a_session_ends(friend: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert friend.get(SEARCH, query_string={"q": "red"}).status_code == 200
    later = datetime.now(UTC) + LIFE + timedelta(minutes=1)
    monkeypatch.setattr("itsdangerous.timed.time.time", later.timestamp)
    assert friend.get(SEARCH, query_string={"q": "red"}).status_code == 401


def test_logging_out_ends_it(friend: FlaskClient) -> None:
    assert "Log out" in friend.get("/").text
    assert friend.post("/logout").status_code == 303
    assert friend.get(SEARCH, query_string={"q": "red"}).status_code == 401


@pytest.mark.parametrize("change", [lambda at: set_password(at, "another of mine"), lambda at: set_password(at, None)])
def test_a_new_password_ends_all_sessions(friend: FlaskClient, folder: Path, change: Callable[[Path], None]) -> None:
    change(folder)
    assert friend.get(SEARCH, query_string={"q": "red"}).status_code == 401


def test_a_cookie_of_ones_own_making_is_refused(friend: FlaskClient, stranger: FlaskClient) -> None:
    made = friend.get_cookie("retroflex")
    assert made is not None
    stranger.set_cookie("retroflex", made.value[:-2] + ("AA" if not made.value.endswith("AA") else "BB"))
    assert stranger.get(SEARCH, query_string={"q": "red"}).status_code == 401


def test_a_token_opens_the_api(stranger: FlaskClient, folder: Path) -> None:
    token = make_token(folder)
    assert get_with(stranger, token) == 200
    remove_token(folder)
    assert get_with(stranger, token) == 401


def test_a_token_from_the_environment_is_enough(
    library: Library, captioner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETROFLEX_TOKEN", "a token of the tests")
    client = create_app(library, lambda: captioner, OPEN_TO_ALL).test_client()
    assert get_with(client, "a token of the tests") == 200
    assert get_with(client, "another token") == 401
    assert client.post("/login", data={"password": "a token of the tests"}).status_code == 303
    assert client.get("/?q=red").status_code == 200


def test_a_short_token_is_refused(library: Library, captioner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETROFLEX_TOKEN", "short")
    with pytest.raises(RetroflexError, match="RETROFLEX_TOKEN is too short"):
        create_app(library, lambda: captioner, OPEN_TO_ALL)


@pytest.mark.parametrize("reach", [OPEN_TO_ALL, Reach("192.0.2.1"), Reach(behind_proxy=True)])
def test_without_a_password_nobody_else_can_be_served(library: Library, captioner: Any, reach: Reach) -> None:
    with pytest.raises(RetroflexError, match=r"retroflex password.*retroflex token.*--no-password"):
        create_app(library, lambda: captioner, reach)


def test_without_a_password_on_purpose(library: Library, captioner: Any) -> None:
    client = create_app(library, lambda: captioner, Reach("0.0.0.0", no_password=True)).test_client()
    assert client.get(SEARCH, query_string={"q": "red"}).status_code == 200
    assert client.get("/login").headers["Location"] == "/"


def test_this_machine_needs_no_password(client: FlaskClient, folder: Path) -> None:
    assert client.get(SEARCH, query_string={"q": "red"}).status_code == 200


def test_only_hashes_are_kept_and_only_for_the_owner(folder: Path) -> None:
    token = make_token(folder)
    kept = folder / "access.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert PASSWORD not in kept.read_text()
    assert token not in kept.read_text()
    assert read_keys(folder).password.startswith("scrypt:")


def test_a_damaged_file_lets_nobody_in(stranger: FlaskClient, folder: Path) -> None:
    (folder / "access.json").write_text("{")
    assert get_with(stranger, "x" * 20) == 503
