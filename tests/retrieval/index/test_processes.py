"""Several processes and threads share one index while pictures are added: nothing reported is missing or wrong."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from data.settings import Settings, load_settings
from data.store import Store
from retrieval import library as library_module
from retrieval import merger
from retrieval.index import upkeep
from retrieval.index.files import only_writer
from retrieval.index.storage import load_index
from retrieval.index.upkeep import build_index, merge_index, needs_merging
from retrieval.library import Library
from retrieval.search.query import Query
from tests.retrieval.conftest import add_picture

ROOT = Path(__file__).parents[3]
ADD_AND_SEARCH = """
import sys
from pathlib import Path
from data.settings import load_settings
from retrieval.index import upkeep
from retrieval.library import Library
from retrieval.search.query import Query
from tests.retrieval.conftest import add_picture
upkeep.AT_ONCE = 4
library, name = Library.open(load_settings(library=Path(sys.argv[1])), create=True), sys.argv[2]
for number in range(int(sys.argv[3])):
    add_picture(library.store, f"{name}{number}", [f"a dog called {name}{number}x"], [1, number % 3, 0, 0])
    assert library.search(Query(f"{name}{number}x"), 1).total == 1, number
    if number % 5 == 4:
        library.merge()
    print(number, flush=True)
"""


def start(settings: Settings, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ADD_AND_SEARCH, str(settings.library), name, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def assert_whole(settings: Settings, store: Store) -> None:
    """Check that the index on disk is sound, and has each picture once after an update."""
    found = load_index(settings.index_dir)
    assert found is None or not found.damage
    merged = merge_index(store, settings.index_dir)
    assert merged is not None
    assert sorted(one for part in merged.parts for one in part.ids) == build_index(store).ids.tolist()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(library=tmp_path / "library")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_process_killed_at_any_time_leaves_a_sound_index(settings: Settings, seed: int) -> None:
    with start(settings, "rex", 500) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.4))
        os.kill(process.pid, signal.SIGKILL)
    library = Library.open(settings)
    assert library.search(Query("rex2x")).total == 1
    assert_whole(settings, library.store)
    library.close()


@pytest.mark.slow
def test_two_processes_update_one_index(settings: Settings) -> None:
    Library.open(settings, create=True).close()
    with start(settings, "rex", 12) as one, start(settings, "bello", 12) as other:
        errors = [process.communicate(timeout=120)[1] for process in (one, other)]
    assert errors == ["", ""]
    library = Library.open(settings)
    assert library.search(Query("dog"), distant=True).total == 24
    assert_whole(settings, library.store)
    library.close()


def test_while_another_writes_changes_stay_in_memory(library: Library) -> None:
    before = library.searcher().index
    with only_writer(library.settings.index_dir, wait=True):
        for number in range(3):
            add_picture(library.store, f"new{number}", [f"quokka{number}"], [1, 0, 0, 0])
            assert library.search(Query(f"quokka{number}")).total == 1
        assert merge_index(library.store, library.settings.index_dir) is None
    on_disk = load_index(library.settings.index_dir)
    assert on_disk is not None
    assert on_disk.generation == before.generation
    library.store.set_user_caption(1, "numbat")
    assert [library.search(Query(word)).total for word in ("quokka0", "quokka2", "numbat")] == [1, 1, 1]
    on_disk = load_index(library.settings.index_dir)
    assert on_disk is not None
    assert on_disk.generation == library.store.generation()
    assert_whole(library.settings, library.store)


def test_searches_beside_a_writer_find_everything_written(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "AT_ONCE", 4)
    written, failures = [0], []

    def search() -> None:
        try:
            while written[0] < 25:
                known = written[0]
                number = random.randrange(known) if known else None
                if number is not None:
                    (hit,) = library.search(Query(f"quokka{number}x")).hits
                    assert hit.path == f"/photos/new{number}.jpg"
                    assert library.search(Query("dog"), distant=True).total >= 2 + known
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(25):
        add_picture(library.store, f"new{number}", [f"a dog called quokka{number}x"], [1, 0, 0, 0])
        written[0] = number + 1
        if number % 8 == 7:
            merge_index(library.store, library.settings.index_dir)
    for thread in threads:
        thread.join()
    assert failures == []
    assert_whole(library.settings, library.store)


def test_a_long_running_process_merges_in_the_background(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "AT_ONCE", 0)
    monkeypatch.setattr(merger, "PAUSE", 0.0)
    library = Library.open(settings, create=True, merges=True)
    for number in range(3):
        add_picture(library.store, f"new{number}", [f"quokka{number}"], [1, 0, 0, 0])
        assert library.search(Query(f"quokka{number}")).total == 1
    deadline = time.monotonic() + 60
    while needs_merging(library.searcher().index):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(library.searcher().index.parts) < 3
    assert [library.search(Query(f"quokka{number}")).total for number in range(3)] == [1, 1, 1]
    library.close()


def test_a_merger_that_fails_is_one_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(merger, "PAUSE", 0.0)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    failing = merger.Merger(settings, lambda: pytest.fail("called after a failure"))
    failing.start()
    deadline = time.monotonic() + 60
    while not caplog.records:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "was not merged" in caplog.text


def test_one_shot_processes_start_no_merger(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "needs_merging", lambda index: pytest.fail("asked without need"))
    assert library.search(Query("dog")).total == 2
