"""Uploaded pictures are decoded in processes that may die."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data import pictures
from data.limits import DEFAULT_LIMITS, Limits
from data.pictures import NotAPicture, PictureDamaged, PictureTooLarge
from webui.describing import decoding
from webui.describing.decoding import Decoders, DecoderUnavailable
from webui.problems import Problem


def slow_picture() -> bytes:
    """A small file that takes a second or so to decode."""
    buffer = io.BytesIO()
    Image.new("RGB", (6000, 6000)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def test_it_returns_the_same_as_data_pictures(painted: Any) -> None:
    decoders = Decoders()
    for picture_format in ("PNG", "JPEG", "WEBP", "GIF"):
        content = painted("red", (300, 200), picture_format=picture_format)
        found = decoders.decode(content, 32, DEFAULT_LIMITS)
        wanted = pictures.square(pictures.decode(content, min_side=32).image, 32)
        assert np.array_equal(found.square, wanted)
        assert Image.open(io.BytesIO(found.preview)).format == "WEBP"


def test_refusals_are_those_of_the_decoder(painted: Any) -> None:
    decoders = Decoders()
    with pytest.raises(NotAPicture, match="not a picture"):
        decoders.decode(b"no picture", 32, DEFAULT_LIMITS)
    with pytest.raises(PictureTooLarge, match="120x90 pixels, the cap is 100"):
        decoders.decode(painted("red"), 32, Limits(max_pixels=100))
    with pytest.raises(PictureDamaged):
        decoders.decode(painted("red", (400, 400), picture_format="JPEG")[:900], 32, DEFAULT_LIMITS)


def test_a_picture_that_takes_too_long_frees_its_process(painted: Any) -> None:
    decoders = Decoders(processes=1, seconds=0.15)
    began = time.monotonic()
    with pytest.raises(PictureDamaged, match="takes too long"):
        decoders.decode(slow_picture(), 32, DEFAULT_LIMITS)
    assert time.monotonic() - began < 5
    patient = Decoders(processes=1, seconds=10)
    patient._free = decoders._free
    assert patient.decode(painted("red"), 32, DEFAULT_LIMITS).square.shape == (32, 32, 3)


def test_a_decoder_that_dies_costs_one_picture(painted: Any) -> None:
    decoders = Decoders(processes=1)
    decoders.decode(painted("red"), 32, DEFAULT_LIMITS)
    process = processes_of(os.getpid())[-1]
    os.kill(process, signal.SIGSTOP)
    timer = threading.Timer(0.2, os.kill, (process, signal.SIGKILL))
    timer.start()
    with pytest.raises(PictureDamaged, match="cannot be decoded"):
        decoders.decode(painted("blue"), 32, DEFAULT_LIMITS)
    assert decoders.decode(painted("blue"), 32, DEFAULT_LIMITS).square.shape == (32, 32, 3)


def test_without_a_free_process_in_time_the_answer_is_try_again(painted: Any) -> None:
    decoders = Decoders(processes=1, seconds=0.2)
    decoders._free.get()
    with pytest.raises(Problem, match="try again") as refused:
        decoders.decode(painted("red"), 32, DEFAULT_LIMITS)
    assert refused.value.status == 503


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    """Make decoder processes run these lines of shell first."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\n{before}\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(decoding.sys, "executable", str(script))


def test_a_decoder_that_dies_at_its_start_is_started_once_more(
    painted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, f'mkdir "{tmp_path}/once" 2>/dev/null && exit 1')
    assert Decoders(processes=1).decode(painted("red"), 32, DEFAULT_LIMITS).square.shape == (32, 32, 3)


@pytest.mark.parametrize("before", ["exit 1", "exec /nowhere/python"])
def test_where_no_decoder_starts_the_answer_is_503_and_the_process_is_free_again(
    painted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, before: str
) -> None:
    decoders = Decoders(processes=1, seconds=5)
    with monkeypatch.context() as broken:
        program(tmp_path, broken, before)
        with pytest.raises(DecoderUnavailable, match=r"cannot be read now.*try again") as refused:
            decoders.decode(painted("red"), 32, DEFAULT_LIMITS)
    assert refused.value.status == 503
    assert caplog.text.count("a decoder process did not start") == 2
    assert decoders.decode(painted("red"), 32, DEFAULT_LIMITS).square.shape == (32, 32, 3)


def test_a_decoder_finds_the_packages_of_the_server(
    painted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    Decoders(processes=1).decode(painted("red"), 32, DEFAULT_LIMITS)
    environment = Path(f"/proc/{processes_of(os.getpid())[-1]}/environ").read_bytes().split(b"\0")
    (path,) = (one for one in environment if one.startswith(b"PYTHONPATH="))
    assert path.endswith(os.pathsep.encode() + os.fsencode(tmp_path))


def test_a_decoder_has_little_memory(painted: Any) -> None:
    Decoders(processes=1).decode(painted("red"), 32, DEFAULT_LIMITS)
    limits = Path(f"/proc/{processes_of(os.getpid())[-1]}/limits").read_text()
    assert f"Max address space         {4 * 2**30}" in limits


def processes_of(parent: int) -> list[int]:
    """The child processes, oldest first."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return sorted((int(one) for task in tasks for one in task.read_text().split()), key=started)


def started(process: int) -> int:
    """When a process started, in ticks since boot: process ids start again when they run out."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
