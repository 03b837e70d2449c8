"""`retroflex train`: what it trains by name, and without one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from training.commands.group import train


@pytest.mark.parametrize("words", [("--epochs", "0", "--bits", "5"), ("captioner", "--bits", "5")])
def test_options_alone_are_the_captioners(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(train, words)
    assert result.exit_code == 2
    assert "train captioner" in result.stderr
    assert "'--bits'" in result.stderr


def test_help_lists_what_can_be_trained() -> None:
    assert "captioner" in CliRunner().invoke(train, ["--help"]).output


def test_a_slip_names_the_nearest() -> None:
    assert "Did you mean 'captioner'?" in CliRunner().invoke(train, ["captoner"]).stderr
