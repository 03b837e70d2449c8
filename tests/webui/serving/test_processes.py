"""`retroflex serve` as a process of its own, and as several: start, stop, death of a part."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Response

from data.settings import load_settings
from retrieval.library import Library
from tests.conftest import hear_ctrl_c
from tests.processes import wait_for_end
from webui.app import create_app

ROOT = Path(__file__).parents[3]
RUN = """
import sys
from webui.serving.stopping import Stopping
with Stopping() as stopping:
    from pathlib import Path
    from data.settings import load_settings
    from tests.webui.conftest import ColourCaptioner
    from webui.serving.processes import Service
    settings = load_settings(library=Path(sys.argv[1]))
    Service(settings, ColourCaptioner, 0, int(sys.argv[2])).run(stopping)
"""


@contextmanager
def started(library: Library, processes: int = 1) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", RUN, str(library.settings.library), str(processes)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, preexec_fn=hear_ctrl_c, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def address(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline()  # type: ignore[union-attr]
    assert line.startswith("Retroflex is at http://127.0.0.1:"), process.stderr.read()  # type: ignore[union-attr]
    return line.split()[3]


def get(at: str, path: str) -> Any:
    with urllib.request.urlopen(f"{at}{path}", timeout=60) as answer:
        return answer.read().decode()


def children(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_on_nothing_a_library_is_made_and_the_page_leads_on(tmp_path: Path) -> None:
    new = SimpleNamespace(settings=load_settings(library=tmp_path / "new"))
    with started(new) as process:  # type: ignore[arg-type]
        assert process.stdout.readline().startswith("Made a library in ")  # type: ignore[union-attr]
        assert "Choose a folder" in get(address(process), "/")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert (tmp_path / "new" / "library.sqlite3").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_stops_cleanly(library: Library, number: int) -> None:
    with started(library) as process:
        address(process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.slow
def test_a_signal_at_any_instant_ends_it_with_0(library: Library, tmp_path: Path) -> None:
    """From the first line of the command to the last: signals at eight instants, three in a row each."""
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(partial(interrupted, library, tmp_path), [0.3 * step for step in range(8)]))
    assert ends == [(0, b"")] * len(ends)


def interrupted(library: Library, folder: Path, wait: float) -> tuple[int, bytes]:
    """Exit code and errors of a server that is told to stop `wait` seconds after its command has begun."""
    begun = folder / f"begun {wait}"
    code = RUN.replace("stopping:\n", f"stopping:\n    open({str(begun)!r}, 'w').close()\n", 1)
    command = [sys.executable, "-c", code, str(library.settings.library), "1"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, preexec_fn=hear_ctrl_c, **pipes) as process:  # type: ignore[call-overload]
        while not begun.exists():
            time.sleep(0.01)
        time.sleep(wait)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
        return process.wait(60), process.stderr.read()


def test_an_answer_under_way_is_finished_when_it_is_stopped(library: Library, captioner: Any, serving: Any) -> None:
    app = create_app(library, lambda: captioner)

    def parts() -> Iterator[bytes]:
        yield b"begun "
        time.sleep(0.5)
        yield b"done"

    app.add_url_rule("/slow", view_func=lambda: Response(parts()))
    with serving(app) as at:
        connection = http.client.HTTPConnection(urlsplit(at).netloc, timeout=60)
        connection.request("GET", "/slow")
        answer = connection.getresponse()
    assert answer.read() == b"begun done"


@pytest.fixture
def several(library: Library, eventually: Any) -> Iterator[subprocess.Popen[str]]:
    with started(library, 2) as process:
        at = address(process)
        vars(process)["at"] = at
        eventually(lambda: ready(at))
        yield process


def ready(at: str) -> bool:
    with suppress(OSError):
        return "ready" in get(at, "readyz")
    return False


@pytest.mark.slow
def test_several_processes_share_what_they_can_and_replace_the_dead(
    several: Any, painted: Callable[..., bytes], eventually: Any
) -> None:
    """One socket, one captioner, one set of figures."""
    for _ in range(20):
        assert json.loads(get(several.at, "api/v1/search?q=red"))["total"] >= 4
    answer = upload(several.at, painted("green"))
    assert answer["query"]["captions"][0] == "a green field under a tree"
    assert answer["hits"][0]["scores"]["cosine"] > 0.9
    before = children(several.pid)
    assert len(before) == 3
    for one in before:
        os.kill(one, signal.SIGKILL)
    eventually(lambda: len(set(children(several.pid)) - set(before)) == 3)
    eventually(lambda: ready(several.at))
    assert upload(several.at, painted("blue"))["query"]["captions"][0] == "a blue house by the sea"
    figures = get(several.at, "metrics")
    assert 'retroflex_searches_total{kind="words"} 20.0' in figures
    assert 'retroflex_searches_total{kind="upload"} 2.0' in figures
    assert "retroflex_captioner_queue 0.0" in figures


def upload(at: str, content: bytes) -> Any:
    boundary = "x" * 20
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'
    body = io.BytesIO(head.encode() + content + f"\r\n--{boundary}--\r\n".encode()).getvalue()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    with urllib.request.urlopen(urllib.request.Request(f"{at}api/v1/search", body, headers), timeout=60) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_all_processes_end_together(several: Any) -> None:
    parts = children(several.pid)
    several.send_signal(signal.SIGINT)
    _, errors = several.communicate(timeout=60)
    assert (several.returncode, errors) == (0, "")
    for one in parts:
        wait_for_end(one)


@pytest.mark.slow
def test_no_process_outlives_its_supervisor(several: Any) -> None:
    parts = children(several.pid)
    several.kill()
    several.wait()
    for one in parts:
        wait_for_end(one)
