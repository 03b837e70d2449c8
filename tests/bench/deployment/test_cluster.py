"""A cluster on this machine: its answers are those of an embedded library, and its parts come back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.deployment import nginx, postgresql
from bench.deployment.client import Answer, Client
from bench.deployment.cluster import running_cluster
from bench.deployment.failures import captions_of, outcome_of
from bench.deployment.network import Door
from bench.deployment.parity import agreement, compare
from bench.deployment.services import Keeper, Service, descendants, free_port
from data.errors import RetroflexError
from tests.processes import is_running, wait_for_end


def proxy() -> str:
    """nginx; without it the test is skipped."""
    try:
        return nginx.program()
    except RetroflexError as error:
        pytest.skip(str(error))


def eventually(condition: Callable[[], object]) -> None:
    """Return once a condition holds."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_cluster_answers_as_an_embedded_library_does(tmp_path: Path) -> None:
    proxy()
    if postgresql.programs() is None or find_spec("psycopg") is None:
        pytest.skip("PostgreSQL or psycopg is not installed: apt-get install postgresql; pip install '.[postgres]'")
    with running_cluster(Door(free_port())) as cluster:
        figures = compare(tmp_path, cluster, pictures=200, queries=20)
        assert figures["hits"] == 20 * 30
        assert figures["different order"] == figures["different totals"] == 0
        assert figures["largest difference of scores"] < 1e-6
        told = cluster.client.ask("/api/v1/pictures/7/caption", "PUT", {"text": "a heron in the reeds"})
        cluster.services["web-1"].kill()
        assert told.status == 200
        assert captions_of(cluster.client, 7)[0] == "a heron in the reeds"


def test_disagreement_is_counted() -> None:
    first = {"total": 3, "hits": [{"id": 1, "score": 0.5}, {"id": 2, "score": 0.25}]}
    second = {"total": 3, "hits": [{"id": 2, "score": 0.5}, {"id": 3, "score": 0.25}]}
    figures = agreement([(first, first), (first, second)])
    assert (figures["different order"], figures["different totals"]) == (1, 0)
    assert (figures["lowest recall"], figures["largest difference of scores"]) == (0.5, 0.25)


def test_a_degraded_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"hits": [], "degraded": "by captions only, vectors unreachable"}
    whole = {"hits": [{"id": 1}], "degraded": None}
    answers = [Answer(200, parts), Answer(200, whole), Answer(200, whole)]
    monkeypatch.setattr(Client, "ask", lambda *_: answers.pop(0))
    assert Client(1).search_whole("like=1") == (whole, True)
    assert Client(1).search_whole("like=1") == (whole, False)
    answers += [Answer(200, parts)]
    monkeypatch.setattr("bench.deployment.client.RECOVERS_WITHIN", -1.0)
    with pytest.raises(RetroflexError, match="degraded for -1 s: by captions only"):
        Client(1).search_whole("like=1")


def test_a_killed_service_comes_back_and_all_end(tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 300 & wait"]
    services = [Service(name, command, lambda: True, tmp_path / name, os.environ) for name in ("one", "two")]
    keeper = Keeper(services)
    keeper.start()
    first = services[0].process
    eventually(lambda: list(descendants(first)))
    child = next(descendants(first))
    services[0].kill()
    wait_for_end(child)
    eventually(lambda: services[0].process not in (0, first))
    os.kill(services[1].process, signal.SIGKILL)
    eventually(lambda: services[1].starts == 2)
    running = [one.process for one in services]
    keeper.stop()
    assert not any(is_running(one) for one in running)


def test_a_service_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.deployment.services.READY_WITHIN", 0.5)
    service = Service("it", ["sh", "-c", "echo no such disk"], lambda: False, tmp_path / "log", os.environ)
    with pytest.raises(RetroflexError, match="it does not start: no such disk"):
        Keeper([service]).start()


def test_the_proxys_configuration_holds_on_this_machine(tmp_path: Path) -> None:
    file = nginx.write_configuration(tmp_path, [18080], [18001, 18002])
    assert "server 127.0.0.1:18001 max_fails=0" in file.read_text()
    assert "web-" not in file.read_text()
    assert "/tmp/" not in file.read_text().replace(f"{tmp_path}/", "")
    done = subprocess.run([proxy(), "-t", "-c", file, "-e", "stderr"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("PUT", 200), ("POST", 502)])
def test_the_second_server_may_die_over_a_request_when_the_first_is_just_back(
    tmp_path: Path, method: str, status: int
) -> None:
    door, (first, second) = free_port(), (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    ports = [one.getsockname()[1] for one in (first, second)]
    first.close()
    command = nginx.command(nginx.write_configuration(tmp_path, [door], ports))
    assert proxy()

    def serve() -> None:
        with second:
            dying, _ = second.accept()
            dying.recv(4096)
            back = socket.create_server(("127.0.0.1", ports[0]))
        with back:
            dying.close()
            back.settimeout(1)
            with suppress(TimeoutError), back.accept()[0] as serving:
                serving.recv(4096)
                serving.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    service = Service("proxy", command, lambda: is_open(door), tmp_path / "log", os.environ)
    service.start()
    serving = threading.Thread(target=serve)
    try:
        service.wait()
        serving.start()
        assert Client(door).ask("/api/v1/search?q=cat", method, None if method == "GET" else {}).status == status
    finally:
        serving.join()
        service.stop()


def is_open(port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_a_search_is_answered_or_refused_with_a_reason() -> None:
    hits = {"hits": [{"id": 1}]}
    assert outcome_of(Answer(200, hits)) == "answered"
    assert outcome_of(Answer(200, {**hits, "degraded": "by captions only, vectors unreachable"})) == "degraded"
    assert outcome_of(Answer(503, {"detail": "the store cannot be reached"})) == "refused"
    assert outcome_of(Answer(503, {})) == "failed with 503"
    assert outcome_of(Answer(200, {"hits": []})) == "failed with 200"
