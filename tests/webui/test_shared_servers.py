"""Servers of two machines on one library in PostgreSQL: sessions, limits and folders are those of both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Double, literal

from data.settings import load_settings
from data.sharing import state
from data.sharing.state import end_session, has_ended, server_secret
from retrieval.library import Library
from tests.webui.api_checks import SEARCH
from webui.app import create_app
from webui.auth.access import LIFE
from webui.auth.keys import ensure_secret, key_place, make_token, read_keys, set_password
from webui.auth.rates import RateLimits
from webui.auth.security import Reach
from webui.auth.server_folders import ServerFolders
from webui.problems import Problem

PASSWORD = "four words of mine"
CLIENT = "192.0.2.9"


@pytest.fixture
def libraries(
    postgres_url: str, tmp_path: Path, add_picture: Any, painted: Callable[..., bytes]
) -> Iterator[list[Library]]:
    """One library as two machines open it, with a picture and a password."""
    with ExitStack() as stack:
        opened = []
        for number in range(2):
            settings = load_settings(library=tmp_path / f"machine{number}", database_url=postgres_url)
            opened.append(stack.enter_context(closing(Library.open(settings, create=True))))
        add_picture(opened[0], tmp_path / "photos" / "red.png", painted("red"))
        set_password(opened[0].store, PASSWORD)
        yield opened


@pytest.fixture
def servers(libraries: list[Library], captioner: Any) -> list[FlaskClient]:
    """A client of each of two servers, which send the same browser's cookies."""
    reach = Reach("0.0.0.0")
    clients = [create_app(library, lambda: captioner, reach).test_client() for library in libraries]
    clients[1]._cookies = clients[0]._cookies
    return clients


def log_in(client: FlaskClient, password: str = PASSWORD, address: str = CLIENT) -> int:
    answer = client.post("/login", data={"password": password}, environ_base={"REMOTE_ADDR": address})
    return answer.status_code


def asked(servers: list[FlaskClient]) -> list[int]:
    return [one.get(SEARCH, query_string={"q": "red"}).status_code for one in servers]


def test_who_logs_in_at_one_goes_on_at_the_other_until_log_out(servers: list[FlaskClient]) -> None:
    first, second = servers
    assert asked(servers) == [401, 401]
    assert log_in(first) == 303
    assert asked(servers) == [200, 200]
    kept = first.get_cookie("retroflex")
    assert kept is not None
    assert second.post("/logout").status_code == 303
    assert asked(servers) == [401, 401]
    first.set_cookie("retroflex", kept.value)
    assert asked(servers) == [401, 401], "a copy of the cookie is ended as well"


def test_a_new_password_ends_sessions_everywhere(servers: list[FlaskClient], libraries: list[Library]) -> None:
    assert log_in(servers[0]) == 303
    set_password(libraries[1].store, "another one of mine")
    assert asked(servers) == [401, 401]
    token = make_token(libraries[1].store)
    header = {"Authorization": f"Bearer {token}"}
    assert [one.get(SEARCH, query_string={"q": "red"}, headers=header).status_code for one in servers] == [200, 200]


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes by the database's clock."""
    monkeypatch.setattr(state, "_SECONDS", literal(1e9, Double))


def test_guesses_at_all_servers_count_together(servers: list[FlaskClient], no_time: None) -> None:
    assert [log_in(servers[number % 2], f"guess {number}") for number in range(5)] == [403] * 5
    assert [log_in(one) for one in servers] == [429, 429]


def test_servers_that_count_at_once_let_no_more_through(libraries: list[Library], no_time: None) -> None:
    limits, through = [RateLimits(store=library.store) for library in libraries], list[bool]()

    def ask(own: RateLimits) -> None:
        for _ in range(8):
            with suppress(Problem):
                own.login(CLIENT)
                through.append(True)

    together([partial(ask, own) for own in limits * 2])
    assert len(through) == 5


def together(work: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_token_of_a_folder_is_valid_at_both(libraries: list[Library], tmp_path: Path) -> None:
    first, second = (ServerFolders([tmp_path], secret=server_secret(library.store)) for library in libraries)
    (top,) = first.tops()
    assert second.folder(top.token).path == tmp_path
    with pytest.raises(Problem):
        ServerFolders([tmp_path]).folder(top.token)


def test_servers_that_start_at_once_make_one_secret(libraries: list[Library]) -> None:
    for change in (ensure_secret, server_secret):
        together([partial(change, library.store) for library in libraries * 3])
    first, second = libraries
    assert read_keys(first.store).secret == read_keys(second.store).secret != ""
    assert server_secret(first.store) == server_secret(second.store)
    assert key_place(first.settings.library, first.store) is first.store
    assert not (first.settings.library / "access.json").exists()


def test_an_ended_session_is_forgotten_when_its_cookie_has_expired(libraries: list[Library]) -> None:
    store = libraries[0].store
    end_session(store, "a", LIFE)
    assert has_ended(libraries[1].store, "a")
    end_session(store, "b", LIFE - LIFE)
    assert (has_ended(store, "a"), has_ended(store, "b")) == (False, True)
