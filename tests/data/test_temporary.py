"""Temporary folders are removed, also those of processes that were killed, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from data.temporary import OWNER, private_folder, sweep, temporary_folder

ROOT = Path(__file__).parents[2]
HOLD = (
    "import time; from data.temporary import *\n"
    "with temporary_folder() as folder: (folder / 'x').write_text('x'); print(folder, flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def another_process(place: Path) -> tuple[subprocess.Popen[bytes], Path]:
    environment = os.environ | {"TMPDIR": str(place)}
    process = subprocess.Popen([sys.executable, "-c", HOLD], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().decode().strip())


def test_a_folder_is_removed_on_leaving(place: Path) -> None:
    with temporary_folder() as folder:
        assert folder.parent == place
        assert folder.name.startswith("retroflex-")
        (folder / "below").mkdir()
        sweep()
        assert (folder / "below").is_dir()
    assert list(place.iterdir()) == []


def test_a_folder_is_removed_once_its_process_was_killed(place: Path) -> None:
    process, folder = another_process(place)
    sweep()
    assert (folder / "x").exists()
    process.kill()
    process.wait()
    with temporary_folder() as mine:
        assert list(place.iterdir()) == [mine]
    assert not folder.exists()


def test_what_is_not_known_to_be_abandoned_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "retroflex-of-somebody").mkdir()
    (place / "retroflex-file").write_text("x")
    (place / "other").mkdir()
    (place / "other" / OWNER).write_text("")
    (place / "retroflex-link").symlink_to(place / "other")
    (place / "retroflex-open").mkdir()
    (place / "retroflex-open" / OWNER).write_text("")
    (place / "retroflex-open").chmod(0o777)
    (place / "retroflex-strangers").mkdir()
    (place / "retroflex-strangers" / OWNER).write_text("")
    before = sorted(path.name for path in place.iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: 12345)
        sweep()
    assert sorted(path.name for path in place.iterdir()) == before
    (place / "retroflex-strangers" / OWNER).unlink()
    sweep()
    assert sorted(path.name for path in place.iterdir()) == before


def test_without_a_folder_for_temporary_files_sweeping_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    sweep()


def test_a_private_folder_is_the_same_each_time_and_ours(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = private_folder("name")
    assert folder == private_folder("name")
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("taken", ["open to all", "a link", "a file"])
def test_a_private_folder_that_somebody_else_may_have_made_is_not_used(
    place: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "caches"))
    folder = private_folder("name")
    folder.chmod(0o777)
    if taken != "open to all":
        folder.rmdir()
        folder.symlink_to(place) if taken == "a link" else folder.write_text("")
    assert private_folder("name") == place / "caches" / "retroflex" / "name"
