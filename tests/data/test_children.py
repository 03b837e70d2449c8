"""Child processes know no secrets and end with their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data.children import LIFELINE, child_environment, end_with_parent, module_command, start_child
from data.settings import load_settings
from tests.data.decoding.hostile import processes_below

ROOT = Path(__file__).parents[2]
CHILD = "from data.children import *; end_with_parent(); print('ready', flush=True); import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RETROFLEX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RETROFLEX_TOKEN", "let me in")
    monkeypatch.setenv("RETROFLEX_LIBRARY", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/packages")


def test_an_environment_has_the_settings_and_the_code_and_not_the_token(tmp_path: Path) -> None:
    settings = load_settings(library=tmp_path, database_url="sqlite:///a", max_pixels=7)
    environment = child_environment(settings)
    assert environment["PYTHONPATH"] == f"{ROOT}{os.pathsep}/packages"
    assert {name: value for name, value in environment.items() if name.startswith("RETROFLEX_")} == {
        "RETROFLEX_LIBRARY": str(tmp_path),
        "RETROFLEX_DATABASE_URL": "sqlite:///a",
        "RETROFLEX_BLEU_CANDIDATES": "index",
        "RETROFLEX_MAX_PIXELS": "7",
        "RETROFLEX_MAX_BYTES": str(settings.max_bytes),
        "RETROFLEX_MAX_SOURCE_PIXELS": str(settings.max_source_pixels),
        "RETROFLEX_MAX_UPLOAD_BYTES": str(settings.max_upload_bytes),
    }
    assert environment["PATH"] == os.environ["PATH"]


def test_without_settings_it_knows_nothing_of_the_library() -> None:
    assert not [name for name in child_environment() if name.startswith("RETROFLEX_")]


def test_modules_come_from_this_program_and_never_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    command = [*module_command("data.decoding.worker")]
    subprocess.run(command, cwd=tmp_path, env=child_environment(), stdin=subprocess.DEVNULL, check=True, timeout=60)


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_child_ends_with_its_parent(how: str) -> None:
    code = (
        "import sys, time; from data.children import *; from data.settings import load_settings\n"
        f"child = start_child([sys.executable, '-c', {CHILD!r}], load_settings()); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=child_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    assert len(processes_below(parent.pid)) == 2
    getattr(parent, how)()
    parent.communicate(timeout=60)  # The child has the same standard output, which ends only when both have ended.


def test_a_child_lives_while_its_parent_does_and_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    process = start_child([sys.executable, "-c", CHILD], load_settings(), output=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    assert process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()
    del process
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_child_that_cannot_be_started_leaves_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="nowhere"):
        start_child(["/nowhere/python"], load_settings())
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_process_that_was_started_otherwise_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIFELINE, raising=False)
    end_with_parent()
