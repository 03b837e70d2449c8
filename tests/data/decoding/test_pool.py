"""Pictures are decoded in processes that may die."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data import pictures, webp
from data.decoding import child, pool
from data.decoding.budget import MemoryBudget
from data.decoding.orders import Order, Webp, make
from data.decoding.pool import Decoders, DecoderUnavailable, decode_bounded, read_square
from data.errors import NotAPicture, PictureDamaged, PictureTooLarge
from data.limits import DEFAULT_LIMITS, Limits
from tests.data.decoding.hostile import giant_png, many_scans, processes_below, resident
from tests.processes import environment_of, wait_for_end

Encode = Callable[..., bytes]
SQUARE = Order(square=32)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def decoders() -> Decoders:
    return Decoders(processes=1)


def newest_child() -> int:
    return max(processes_below(os.getpid())[1:], key=started)


def started(process: int) -> int:
    """When a process started, in ticks since boot: process ids start again when they run out."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
def test_a_child_makes_what_this_process_makes(decoders: Decoders, encode: Encode, picture_format: str) -> None:
    content, order = encode(picture_format), Order(32, Webp(20, 60, 80))
    found, expected = decoders.decode(content, order, DEFAULT_LIMITS), make(content, order, DEFAULT_LIMITS)
    assert np.array_equal(found.square, expected.square)
    assert (found.facts, found.webp) == (expected.facts, expected.webp)


def test_exif_is_read_in_a_child(decoders: Decoders, encode: Encode) -> None:
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    found = decoders.decode(encode("JPEG", exif=tags), Order(exif=True), DEFAULT_LIMITS)
    assert found.exif is not None
    assert found.exif.camera == "Maker"


def test_refusals_are_those_of_the_decoder(decoders: Decoders, encode: Encode) -> None:
    with pytest.raises(NotAPicture, match="not a picture"):
        decoders.decode(b"no picture", SQUARE, DEFAULT_LIMITS)
    with pytest.raises(NotAPicture, match="is empty"):
        decoders.decode(b"", SQUARE, DEFAULT_LIMITS)
    with pytest.raises(PictureTooLarge, match="60x40 pixels, the cap is 100"):
        decoders.decode(encode("PNG"), SQUARE, Limits(max_pixels=100))
    with pytest.raises(PictureDamaged, match="is damaged"):
        decoders.decode(encode("PNG", Image.effect_noise((90, 90), 9))[:60], SQUARE, DEFAULT_LIMITS)
    assert decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS).square is not None


def test_ordinary_files_need_no_child(encode: Encode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pool, "DECODERS", None)
    assert decode_bounded(encode("JPEG"), SQUARE).facts is not None
    (tmp_path / "a.png").write_bytes(encode("PNG"))
    assert read_square(tmp_path / "a.png", 32).shape == (32, 32, 3)


def test_a_picture_that_takes_too_long_frees_its_process(encode: Encode) -> None:
    decoders = Decoders(processes=1, seconds=0.4)
    decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)
    began = time.monotonic()
    with pytest.raises(PictureDamaged, match=r"takes too long to decode: more than 0\.42 seconds"):
        decoders.decode(many_scans((1000, 1000), 10_000), SQUARE, DEFAULT_LIMITS)
    assert time.monotonic() - began < 10
    assert decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS).square is not None


def test_time_that_others_use_the_processor_does_not_count(encode: Encode) -> None:
    decoders = Decoders(processes=1, seconds=1.0)
    decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)
    process = newest_child()
    os.kill(process, signal.SIGSTOP)
    timer = threading.Timer(1.5, os.kill, (process, signal.SIGCONT))
    timer.start()
    assert decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS).square is not None


def test_a_process_that_hangs_without_computing_is_ended_too(
    decoders: Decoders, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)
    os.kill(newest_child(), signal.SIGSTOP)
    monkeypatch.setattr(child, "WALL", 0.1)
    with pytest.raises(PictureDamaged, match="takes too long"):
        decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)


def test_a_process_that_kept_much_memory_is_ended(decoders: Decoders) -> None:
    """Pillow does not give back what it took for a WebP when memory ran out."""
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (16_000, 2_800), colour) for colour in ((1, 2, 3), (200, 40, 30))]
    frames[0].save(buffer, "WEBP", quality=1, method=0, save_all=True, append_images=frames[1:])
    others = set(processes_below(os.getpid()))
    with pytest.raises(PictureTooLarge, match="more than 640 MiB of memory to decode"):
        decoders.decode(buffer.getvalue(), SQUARE, DEFAULT_LIMITS)
    assert all(resident(process) < 100e6 for process in processes_below(os.getpid()) if process not in others)


def kill_when_busy(process: int) -> None:
    """Kill a process in the midst of its next job, which takes a while: here it is stopped first."""
    os.kill(process, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (process, signal.SIGKILL)).start()


def test_no_process_is_idle_beside_a_large_picture(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    decoders, small = Decoders(processes=2), encode("PNG")
    children = [decoders._free.get(), decoders._free.get()]
    assert children == [None, None]
    idle = child.Child(decoders._module)
    decoders._free.put(idle)
    decoders._free.put(None)
    decoders.decode(small, SQUARE, DEFAULT_LIMITS)
    assert idle.usable
    monkeypatch.setattr(child, "LARGE", 1)
    decoders.decode(small, SQUARE, DEFAULT_LIMITS)
    assert not idle.usable


def test_a_decoder_that_is_killed_costs_nothing(decoders: Decoders, encode: Encode) -> None:
    decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)
    first = newest_child()
    kill_when_busy(first)
    assert decoders.decode(encode("GIF"), SQUARE, DEFAULT_LIMITS).square is not None
    assert newest_child() != first


def test_a_decoder_that_was_killed_while_it_had_nothing_to_do_is_replaced(decoders: Decoders, encode: Encode) -> None:
    for _ in range(3):
        assert decoders.decode(encode("GIF"), SQUARE, DEFAULT_LIMITS).square is not None
        os.kill(newest_child(), signal.SIGKILL)


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    """Make new processes run these lines of shell first."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\n{before}\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


@pytest.mark.parametrize(
    "before",
    [
        "exit 1",
        "kill -9 $$",
        "exec /nowhere/python",
        "echo 'this is no message, and it is long enough for one'; exit",
        r"printf '\0\0\0\0\0\0\0\5ready\0\0\0\0\0\0\0\3{no'; cat >/dev/null",
        r"printf '\0\0\0\0\0\0\0\5ready\177\0\0\0\0\0\0\3{no'; cat >/dev/null",
        r"printf '\0\0\0\0\0\0\0\5ready\0\0\0\0\0\0\0\2[]'; cat >/dev/null",
    ],
    ids=["ends", "killed", "not there", "noise", "no JSON", "a length", "no object"],
)
def test_where_no_decoder_works_the_picture_is_unavailable_and_the_process_is_free_again(
    decoders: Decoders,
    encode: Encode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    before: str,
) -> None:
    with monkeypatch.context() as broken:
        program(tmp_path, broken, before)
        with pytest.raises(DecoderUnavailable, match=r"cannot be read now.*try again"):
            decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)
    assert len(caplog.records) == 2
    assert decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS).square is not None


def test_a_decoder_that_dies_at_its_start_is_started_once_more(
    decoders: Decoders, encode: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, f'mkdir "{tmp_path}/once" 2>/dev/null && kill -9 $$')
    assert decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS).square is not None


def test_a_file_on_which_the_decoder_crashes_is_damaged(
    decoders: Decoders, encode: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, r"printf '\0\0\0\0\0\0\0\5ready'; sleep 0.1; kill -SEGV $$")
    with pytest.raises(PictureDamaged, match="decoding it crashes"):
        decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)


def test_an_interrupted_exchange_ends_the_process(decoders: Decoders, encode: Encode) -> None:
    decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)
    first = newest_child()

    class Interrupting(MemoryBudget):
        def hold(self, size: int, seconds: float | None = None) -> Any:
            raise KeyboardInterrupt

    healthy, decoders._budget = decoders._budget, Interrupting()
    with pytest.raises(KeyboardInterrupt):
        decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)
    decoders._budget = healthy
    facts = decoders.decode(encode("GIF"), SQUARE, DEFAULT_LIMITS).facts
    assert facts is not None
    assert facts.format == "GIF"
    assert first


def test_without_a_free_process_or_memory_in_time_the_picture_is_unavailable(encode: Encode, tmp_path: Path) -> None:
    with pytest.raises(DecoderUnavailable, match="too many pictures"):
        Decoders(processes=0).decode(encode("PNG"), SQUARE, DEFAULT_LIMITS, patience=0.1)
    budget = MemoryBudget(tmp_path)
    with budget.hold(2**40), pytest.raises(DecoderUnavailable, match="too many pictures"):
        Decoders(processes=1, budget=budget).decode(encode("PNG"), SQUARE, DEFAULT_LIMITS, patience=0.1)


def test_a_child_finds_the_packages_of_its_parent_and_no_secrets(
    decoders: Decoders, encode: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("RETROFLEX_TOKEN", "let me in")
    monkeypatch.setenv("RETROFLEX_DATABASE_URL", "postgresql://user:let me in@host/base")
    decoders.decode(encode("PNG"), SQUARE, DEFAULT_LIMITS)
    environment = environment_of(newest_child()).split(b"\0")
    (path,) = (one for one in environment if one.startswith(b"PYTHONPATH="))
    assert path.endswith(os.pathsep.encode() + os.fsencode(tmp_path))
    assert not [one for one in environment if b"let me in" in one]


@pytest.mark.parametrize("busy", [False, True])
def test_children_end_with_a_parent_that_is_killed(busy: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(many_scans((2000, 2000), 3000) if busy else giant_png((50, 50)))
    code = (
        "import sys, time; from data.decoding.pool import *; content = open(sys.argv[1], 'rb').read()\n"
        "print('ready', flush=True)\n"
        "DECODERS.decode(content, Order(square=32), DEFAULT_LIMITS); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "file")]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    while not (children := processes_below(parent.pid)[1:]):
        time.sleep(0.01)
    time.sleep(0.5)  # it decodes, or has
    assert len(children) == 1
    parent.kill()
    parent.wait()
    wait_for_end(children[0])


def test_noise_of_the_libraries_does_not_reach_the_terminal(
    decoders: Decoders, encode: Encode, capfd: pytest.CaptureFixture[str]
) -> None:
    content = encode("TIFF", Image.effect_noise((90, 90), 9), compression="tiff_lzw")
    with pytest.raises(PictureDamaged):
        decoders.decode(content[:2000] + bytes(500) + content[2500:], SQUARE, DEFAULT_LIMITS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "size"), [({}, (60, 40)), ({"lossless": True}, (60, 40)), ({"exif": b"Exif\0\0II*\0"}, (60, 40))]
)
def test_the_size_of_a_webp_is_read_without_its_pixels(encode: Encode, options: Any, size: tuple[int, int]) -> None:
    content = encode("WEBP", **options)
    assert webp.header(content)[1] == size == Image.open(io.BytesIO(content)).size
    assert webp.header(encode("PNG"))[1] is None
    assert pictures.decode(content).width == size[0]
