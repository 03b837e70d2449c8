"""`retroflex distil` says in one line what is wrong with its arguments, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from data.errors import RetroflexError
from training.commands.distil import distil


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stage", "1:112:10"], "give WIDTH:SIDE:STEPS:RATE:LAST_RATE"),
        (["--stage", "1:112:10:1e-3:0:blur"], "give WIDTH:SIDE:STEPS:RATE:LAST_RATE"),
        (["--stage", "0.3:112:10:1e-3:0"], "must have a width of 1, 0.5, 0.25"),
        (["--stage", "0.25:80:10:1e-3:0", "--stage", "1:80:10:1e-3:0"], "stays or doubles"),
        (["--stage", "1:112:10:1e-3:0:mixup"], "needs --live"),
        (["--photos", "pictures"], "give PATH:SHARE"),
        (["--photos", "nowhere.tar:0.5"], "no such file or folder"),
    ],
)
def test_bad_arguments_are_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.safetensors"
    teacher.write_bytes(b"unread")
    given = [*arguments, "--teacher", str(teacher), "--out", str(tmp_path / "run"), "--photos", f"{tmp_path}:1"]
    result = CliRunner().invoke(distil, given)
    assert isinstance(result.exception, RetroflexError)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "run").exists()
