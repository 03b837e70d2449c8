"""One process indexes at a time; the others follow its progress, and take over when it ends or is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from data.errors import RetroflexError
from retrieval.indexing.indexer import Report
from retrieval.indexing.turn import PROGRESS, take_turn
from tests.conftest import draw_picture

ROOT = Path(__file__).parents[3]
HOLDING = """
import sys, time
from pathlib import Path
from retrieval.indexing.indexer import Report
from retrieval.indexing.turn import take_turn
with take_turn(Path(sys.argv[1]), print, lambda *_: None) as turn:
    turn.sharing(lambda *_: None)(3, 9, Report(captioned=2))
    print("ready", flush=True)
    time.sleep(60)
"""


def nothing(done: int, total: int, report: Report) -> None:
    pass


def test_the_first_is_not_told_anything(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        with take_turn(tmp_path / "library", told.append, nothing) as turn:
            turn.sharing(nothing)(1, 2, Report())
    assert told == []


def test_a_killed_process_is_followed_and_is_no_obstacle(tmp_path: Path) -> None:
    told: list[str] = []
    seen: list[tuple[int, int, int]] = []
    with subprocess.Popen([sys.executable, "-c", HOLDING, tmp_path], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        def follow(done: int, total: int, report: Report) -> None:
            seen.append((done, total, report.captioned))
            process.send_signal(signal.SIGKILL)

        with take_turn(tmp_path, told.append, follow):
            assert not (tmp_path / PROGRESS).exists()
    assert len(told) == 1
    assert told[0].startswith("already indexing this library in another process")
    assert seen == [(3, 9, 2)]


def test_damaged_progress_is_waited_out(tmp_path: Path) -> None:
    released = threading.Event()

    def hold() -> None:
        with take_turn(tmp_path, print, nothing):
            (tmp_path / PROGRESS).write_text('{"done": ')
            released.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    while not (tmp_path / PROGRESS).exists():
        time.sleep(0.01)
    threading.Timer(0.5, released.set).start()
    seen: list[int] = []
    with take_turn(tmp_path, lambda line: None, lambda done, total, report: seen.append(done)):
        assert seen == []
    holder.join()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RetroflexError, match="cannot index into"), take_turn(tmp_path / "file" / "x", print, nothing):
        pass


@pytest.mark.slow
def test_two_terminals_caption_every_picture_once(tmp_path: Path, tiny_bundle: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(300):
        draw_picture(folder / f"{number}.png", "green", size=(40, 30), seed=number)
    environment = {**os.environ, "RETROFLEX_LIBRARY": str(tmp_path / "library"), "RETROFLEX_BUNDLE": str(tiny_bundle)}
    command = [sys.executable, "-m", "retrieval.cli", "index", str(folder), "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment, "cwd": ROOT}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    counts = [json.loads(output) for output, _ in answers]
    assert sorted(one["captioned"] for one in counts) == [0, 300]
    assert sorted(one["unchanged"] for one in counts) == [0, 300]
    assert sum("already indexing" in errors for _, errors in answers) == 1
