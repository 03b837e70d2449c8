"""`retroflex password`, `retroflex token`, and `retroflex serve` that asks for them."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner, Result

from data.errors import RetroflexError
from retrieval.library import Library
from webui.auth.keys import read_keys
from webui.commands.access import password, token
from webui.commands.serve import serve


@pytest.fixture
def call(library: Library) -> Any:
    def run(command: Any, *options: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(command, ["--library", str(library.settings.library), *options], input=typed)

    return run


def test_a_password_is_read_from_standard_input_and_forgotten(call: Any, library: Library) -> None:
    assert call(password, typed="four words of mine\n").exit_code == 0
    assert read_keys(library.settings.library).opens_by_password("four words of mine")
    assert not read_keys(library.settings.library).opens_by_password("four words of mine\n")
    assert call(password, "--remove").exit_code == 0
    assert not read_keys(library.settings.library).given


def test_a_password_is_asked_for_twice_without_echo(call: Any, library: Library, monkeypatch: Any) -> None:
    monkeypatch.setattr("webui.commands.access._at_a_terminal", lambda: True)
    typed = "four words of mine\nfour wrods of mine\n" + "four words of mine\n" * 2
    result = call(password, typed=typed)
    assert "do not match" in result.output
    assert "words" not in result.output
    assert read_keys(library.settings.library).opens_by_password("four words of mine")


@pytest.mark.parametrize("typed", ["", "\n", "short\n"])
def test_a_short_password_is_one_clear_line(call: Any, library: Library, typed: str) -> None:
    result = call(password, typed=typed)
    assert isinstance(result.exception, RetroflexError)
    assert "at least 8" in str(result.exception)
    assert not read_keys(library.settings.library).given


def test_a_token_is_printed_and_only_the_last_counts(call: Any, library: Library) -> None:
    first, second = (call(token).output.strip() for _ in range(2))
    keys = read_keys(library.settings.library)
    assert (keys.opens_by_token(first), keys.opens_by_token(second)) == (False, True)
    call(token, "--remove")
    assert not read_keys(library.settings.library).given


@pytest.mark.parametrize("options", [("--host", "0.0.0.0"), ("--host", "::"), ("--behind-proxy",)])
def test_other_machines_are_let_in_only_when_asked_for(call: Any, options: tuple[str, ...]) -> None:
    result = call(serve, *options)
    assert isinstance(result.exception, RetroflexError)
    assert "--no-password" in str(result.exception)


@pytest.mark.parametrize("command", [password, token])
def test_a_missing_library_is_one_clear_line(command: Any, tmp_path: Any) -> None:
    result: Any = CliRunner().invoke(command, ["--library", str(tmp_path / "none")])
    assert isinstance(result.exception, RetroflexError)
    assert "retroflex index" in str(result.exception)
    assert not (tmp_path / "none").exists()
