"""What docs/api.md shows is run against a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text()
SHOWN = "http://127.0.0.1:8000"
LINES = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
(CLIENT,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture
def desk(tmp_path: Path, photo_folder: Path, library: object) -> Path:
    """A folder with the picture that the examples search by."""
    folder = tmp_path / "desk"
    folder.mkdir()
    shutil.copy(photo_folder / "red 0.jpg", folder / "holiday.jpg")
    return folder


def run(command: list[str], desk: Path, address: str) -> str:
    environment = os.environ | {"RETROFLEX_ADDRESS": address, "RETROFLEX_TOKEN": "a token of the tests"}
    done = subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("line", LINES)
def test_a_line_with_curl_works(line: str, desk: Path, address: str) -> None:
    assert line.startswith("curl --fail")
    assert SHOWN in line
    told = run(["bash", "-c", line.replace(SHOWN, address.rstrip("/"))], desk, address)
    saved = re.search(r"-o (\S+)", line)
    assert told or (saved and (desk / saved[1]).stat().st_size > 100)


def test_the_client_works(desk: Path, address: str) -> None:
    (desk / "client.py").write_text(CLIENT)
    told = run([sys.executable, "client.py"], desk, address)
    assert ": a red boat on the water" in told
    assert re.search(r"red \d\.jpg \['a red boat on the water', 'something red'\]", told)


@pytest.mark.slow
def test_the_client_is_typed(desk: Path) -> None:
    (desk / "client.py").write_text(CLIENT)
    run([sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "client.py"], desk, SHOWN)
