"""Describing by Ray: the same library as by threads, whatever workers and files do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from captioner import pipeline
from captioner.cluster import executor as executors
from captioner.cluster import worker
from captioner.cluster.connection import Cluster
from captioner.cluster.executor import RayExecutor
from captioner.cluster.worker import Worker
from captioner.pipeline import Flow
from captioner.reading import Identified, Load
from data.errors import PictureUnreadable, RetroflexError
from data.films.reads import films_by_id
from data.limits import DEFAULT_LIMITS
from data.scan import FoundFile, scan
from data.sharing.claims import Claims
from data.store import Store
from retrieval.commands import index as command
from retrieval.indexing.indexer import Report, index
from retrieval.indexing.metadata import Sidecars
from retrieval.indexing.pictures import PictureReader
from tests.captioner.cluster.stand_in import POISON, Mortal, other_version
from tests.conftest import hear_ctrl_c
from tests.films import ColourCaptioner, make_film
from tests.retrieval.indexing.test_indexer import FakeCaptioner, contents

ROOT = Path(__file__).parents[3]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is missing: pip install '.[cluster]'")


class Nodes:
    """A Ray cluster on this machine, whose nodes stand for machines, and the way to it."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as LocalNodes

        self.nodes = LocalNodes(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        self.address: str = self.nodes.address
        self.cluster = Cluster(self.address)

    def executor(self, load: Load, flow: Flow | None = None) -> RayExecutor:
        return RayExecutor(self.cluster, load, flow, lambda line: None)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        started = Nodes()
    yield started
    started.cluster.close()
    started.nodes.shutdown()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")


@pytest.fixture
def many(photos: Path) -> Path:
    """A hundred small pictures, one of them twice, and a file that is none."""
    for number in range(100):
        Image.new("RGB", (20, 20), (number, 2 * number, 255 - number)).save(photos / f"{number:03}.png")
    (photos / "copy.png").write_bytes((photos / "099.png").read_bytes())
    (photos / "bad.png").write_text("no picture")
    return photos


def run(
    store: Store, folder: Path, executor: RayExecutor | None = None, load: Callable[[], Any] = FakeCaptioner
) -> Report:
    if executor is None:
        return index(store, load(), [folder], DEFAULT_LIMITS)
    with executor:
        return index(store, load(), [folder], DEFAULT_LIMITS, executor=executor)


def assert_same_as_by_threads(
    store: Store, folder: Path, tmp_path: Path, load: Callable[[], Any] = FakeCaptioner
) -> None:
    other = Store.open(f"sqlite:///{tmp_path / 'threads.sqlite3'}")
    run(other, folder, load=load)
    assert contents(store) == contents(other)
    assert store.skipped_files() == other.skipped_files()


@needs_ray
def test_a_library_is_the_same_as_by_threads_and_films_too(
    nodes: Nodes, store: Store, many: Path, tmp_path: Path
) -> None:
    make_film(many / "wall.mp4")
    flow = Flow()
    report = run(store, many, nodes.executor(ColourCaptioner, flow), ColourCaptioner)
    assert (report.captioned, report.known_content, len(report.skipped)) == (113, 1, 1)
    assert (report.films.films, report.films.frames) == (1, 3)
    assert [len(film.frames) for film in films_by_id(store).values()] == [3]
    assert (flow.encoded, flow.pending) == (115, 0)
    assert_same_as_by_threads(store, many, tmp_path, ColourCaptioner)


@needs_ray
def test_killed_workers_and_a_poisoned_file_cost_that_file_alone(
    nodes: Nodes, store: Store, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "TRIES", 2)
    Image.new("RGB", (20, 20), POISON).save(photos / "a poison.png")
    pids = tmp_path / "pids"
    pids.mkdir()
    killing = threading.Thread(target=kill_the_first, args=(pids,), daemon=True)
    killing.start()
    report = run(store, photos, nodes.executor(partial(Mortal, pids, 2)))
    killing.join()
    assert [(one.path.name, one.reason) for one in report.skipped] == [
        ("a poison.png", "is left out: 2 workers ended, one after another, when they read it alone")
    ]
    assert report.captioned == 12
    again = run(store, photos, nodes.executor(FakeCaptioner))
    assert (again.captioned, again.unchanged) == (0, 13)
    assert len(list(pids.iterdir())) >= 4
    (photos / "a poison.png").unlink()
    run(store, photos)
    assert_same_as_by_threads(store, photos, tmp_path)


def kill_the_first(pids: Path) -> None:
    """Kill the first worker that has loaded, while it waits for a second one."""
    while not (loaded := list(pids.iterdir())):
        time.sleep(0.01)
    os.kill(int(loaded[0].stem), signal.SIGKILL)


@needs_ray
def test_a_node_that_joins_late_is_used(
    nodes: Nodes, store: Store, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All workers wait for a third one, for which the first node has no processor."""
    monkeypatch.setattr(pipeline, "BATCH", 8)
    pids = tmp_path / "pids"
    pids.mkdir()
    # Ray adds a node in the main thread only.
    indexing = threading.Thread(target=run, args=(store, many, nodes.executor(partial(Mortal, pids, 3))), daemon=True)
    indexing.start()
    while len(list(pids.iterdir())) < 2:
        assert indexing.is_alive()
        time.sleep(0.02)
    nodes.nodes.add_node(num_cpus=1)
    indexing.join(120)
    assert not indexing.is_alive()
    assert_same_as_by_threads(store, many, tmp_path)


@needs_ray
def test_ctrl_c_keeps_what_is_written_and_the_next_run_goes_on(
    nodes: Nodes, store: Store, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "BATCH", 4)
    flow = Flow()

    def stop(done: int, total: int, report: Report) -> None:
        if done:
            flow.stop()

    with pytest.raises(KeyboardInterrupt), nodes.executor(FakeCaptioner, flow) as executor:
        index(store, FakeCaptioner(), [many], DEFAULT_LIMITS, progress=stop, executor=executor)
    written = store.status().pictures
    assert 0 < written < 112
    assert flow.pending == 0
    assert run(store, many, nodes.executor(FakeCaptioner)).captioned == 112 - written


@needs_ray
def test_workers_that_cannot_be_used_end_the_run_in_one_line(
    nodes: Nodes, store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RetroflexError, match=r"the worker on .* has the captioner fake-2, not fake-1; give it"):
        run(store, photos, nodes.executor(other_version))
    monkeypatch.setattr("captioner.cluster.worker.code_digest", lambda: "other")
    with pytest.raises(RetroflexError, match="runs other code; install the same version of Retroflex there"):
        run(store, photos, nodes.executor(FakeCaptioner))
    assert store.status().pictures == 0


def test_a_file_that_is_only_here_ends_the_run_in_one_line(photos: Path) -> None:
    file, missing = FoundFile(photos / "photo0.jpg", 1, 1), Identified(error=PictureUnreadable("cannot be read"))
    with pytest.raises(RetroflexError, match=r"photo0\.jpg, which is there on this machine; mount its folder"):
        executors.check_reachable([file], [missing])
    executors.check_reachable([FoundFile(photos / "gone.jpg", 1, 1)], [missing])


def test_a_worker_reads_again_what_it_did_not_keep(photos: Path) -> None:
    """As after a restart: `describe` may come without `identify`."""
    assert len(worker.code_digest()) == 64
    store = Store.open(f"sqlite:///{photos / 'library.sqlite3'}")
    reader = PictureReader(store, 8, DEFAULT_LIMITS, Sidecars({}), Claims(store, "fake-1"), bulk=False)
    files = scan([photos], {}).changed
    own = Worker()
    own.load(FakeCaptioner, 1)
    identified = own.identify(1, files, reader.identify)
    _, decodings = reader.choose(files, identified)
    kept, read_again = own.describe(1, decodings), own.describe(2, decodings)
    assert [one.descriptions[0].captions for one in kept] == [one.descriptions[0].captions for one in read_again]
    assert len(kept) == 12


def test_options_that_do_not_fit_are_refused_in_one_line(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*options: str) -> str:
        where = ["--library", str(tmp_path / "library"), str(photos)]
        error = CliRunner().invoke(command.index, [*options, *where]).exception
        assert isinstance(error, RetroflexError)
        return str(error)

    assert refused("--address", "auto") == "--address needs --executor ray"
    monkeypatch.setattr("captioner.cluster.connection.find_spec", lambda name: None)
    assert refused("--executor", "ray") == "--executor ray needs Ray: pip install 'retroflex[cluster]'"
    monkeypatch.setattr("captioner.cluster.connection.find_spec", lambda name: "found")
    assert refused("--executor", "ray", "--address", "nowhere").startswith("--address nowhere: give auto")


@needs_ray
def test_the_command_starts_a_cluster_that_only_this_machine_reaches_and_ends_it(
    photos: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    """And an address where nothing listens is refused in one line."""
    free = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
    free.close()
    refused = start(tiny_bundle, tmp_path / "ray", photos, "--address", address)
    assert refused.communicate(timeout=600)[0].startswith(f"retroflex: no Ray cluster can be reached at {address}")
    assert refused.returncode == 1
    process = start(tiny_bundle, tmp_path / "ray", photos)
    seen: dict[int, set[str]] = {}
    while process.poll() is None:
        family = descendants(process.pid)
        seen |= {pid: seen.get(pid, set()) | listening(pid) for pid in family}
        time.sleep(0.2)
    output = process.communicate()[0]
    if "timed out during startup" in output:
        pytest.skip("Ray gives its own processes 30 seconds to start, which this machine did not keep")
    assert process.returncode == 0, output
    addresses = set().union(*seen.values())
    assert addresses
    assert all(one.endswith("0100007F") for one in addresses), addresses
    assert not [pid for pid in seen if Path(f"/proc/{pid}").exists()]


def start(bundle: Path, library: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    where = ["--library", str(library), "--bundle", str(bundle), str(folder)]
    command = [sys.executable, "-m", "retrieval.cli", "index", "--executor", "ray", *options, *where]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=hear_ctrl_c
    )


def descendants(pid: int) -> set[int]:
    parents = dict[int, int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def listening(pid: int) -> set[str]:
    """Return the addresses, in hexadecimal as Linux has them, at which a process listens for TCP."""
    sockets = set()
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                sockets.add(os.readlink(descriptor))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                found.add(local.partition(":")[0])
    return found
