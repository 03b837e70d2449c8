"""`retroflex train`: what it refuses, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from training.commands.train import train


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--epochs", "0"), "name a bundle with a decoder with --go-on"),
        (("--bits", "5"), "is not one of '8', '4'"),
        (("--views", "0"), "is not in the range"),
    ],
)
def test_refuses(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(train, ["--dataset", str(tmp_path), "--out", str(tmp_path / "run"), *options])
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "run").exists()
