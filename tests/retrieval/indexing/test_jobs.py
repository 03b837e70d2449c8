"""Indexing in a real process: progress, one at a time, stopping, and a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from data.children import child_environment
from data.errors import RetroflexError
from data.paths import to_bytes
from data.roots import read_roots, remember_root
from data.settings import Settings, load_settings
from data.store import Store
from retrieval.indexing.job import Job, JobFile, JobLock, JobStatus
from retrieval.indexing.jobs import JobError, Jobs
from tests.conftest import draw_picture
from tests.processes import environment_of, wait_for_end

SECONDS = 60.0
ROOT = Path(__file__).parents[3]
SERVER = """
import sys, time
from retrieval.indexing.jobs import Jobs
from data.settings import load_settings
jobs = Jobs(load_settings())
jobs.start(None, recaption=True)
print(jobs._process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path, tiny_bundle: Path) -> Settings:
    return load_settings(library=tmp_path / "library", bundle=tiny_bundle)


@pytest.fixture
def store(settings: Settings, photos: Path) -> Iterator[Store]:
    """An empty library that remembers the folder of photos."""
    opened = Store.open(settings.url)
    remember_root(opened, to_bytes(photos))
    yield opened
    opened.close()


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    made = Jobs(settings)
    yield made
    made.close()


def until(jobs: Jobs, reached: Callable[[Job], bool]) -> list[Job]:
    """Return all reported jobs until `reached` is true."""
    told: list[Job] = []
    end = time.monotonic() + SECONDS
    while not (told and reached(told[-1])):
        assert time.monotonic() < end, told[-1:]
        job = jobs.wait(told[-1] if told else None, 1.0)
        if job is not None:
            told.append(job)
    return told


@pytest.mark.slow
def test_a_job_indexes_every_remembered_folder_and_reports_progress(jobs: Jobs, store: Store, photos: Path) -> None:
    (photos / "notes.jpg").write_text("no picture")
    assert jobs.current() is None
    first = jobs.start(None, recaption=False)
    assert (first.state, first.done, first.total, first.folder) == ("running", 0, None, None)
    with pytest.raises(JobError, match="already"):
        jobs.start(None, recaption=False)
    told = until(jobs, lambda job: job.finished)
    assert [job.done for job in told] == sorted(job.done for job in told)
    last = told[-1]
    assert (last.state, last.done, last.total, last.captioned, last.skipped) == ("done", 13, 13, 12, 1)
    assert last == jobs.current()
    assert store.status().pictures == 12
    assert read_roots(store)[0].indexed_at is not None
    with pytest.raises(JobError, match="nothing"):
        jobs.stop()


STEPS = """
import json, time
step = {"done": 4, "encoded": 4, "total": 4, "captioned": 3, "skipped": 1, "passed_over": {}, "left_out": {}}
print(json.dumps(step), flush=True)
for done in (0, 1, 2):
    time.sleep(0.2)
    print(json.dumps({"faces_done": done, "faces_total": 8}), flush=True)
time.sleep(60)
"""


def test_a_job_tells_how_many_pictures_were_searched_for_faces(
    jobs: Jobs, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.indexing.jobs._command", lambda root, recaption: [sys.executable, "-c", STEPS])
    jobs.start(None, recaption=False)
    last = until(jobs, lambda job: job.faces_done == 2)[-1]
    assert (last.total, last.captioned, last.faces_total) == (4, 3, 8)
    assert last.rate is not None
    assert last.seconds_left == pytest.approx(6 / last.rate)
    jobs.stop()
    assert until(jobs, lambda job: job.finished)[-1].state == "stopped"


@pytest.mark.slow
def test_a_job_that_is_stopped_keeps_what_it_did(jobs: Jobs, store: Store, photos: Path) -> None:
    for number in range(600):
        draw_picture(photos / f"more{number}.png", "green", size=(40, 30), seed=100 + number)
    root = read_roots(store)[0]
    jobs.start(root, recaption=True)
    until(jobs, lambda job: job.done > 0)
    assert jobs.stop().state == "stopping"
    last = until(jobs, lambda job: job.finished)[-1]
    assert (last.state, last.error, last.folder) == ("stopped", None, root.id)
    assert last.done <= store.status().pictures < 612
    assert read_roots(store)[0].indexed_at is None


def test_a_job_that_dies_has_failed_and_another_can_start(jobs: Jobs, store: Store, settings: Settings) -> None:
    for _ in range(2):
        jobs.start(None, recaption=True)
        status = JobFile(settings.library).read()
        assert status is not None
        os.kill(status.pid, signal.SIGKILL)
        last = until(jobs, lambda job: job.finished)[-1]
        assert (last.state, last.error) == ("failed", "it ended with code -9")


def test_a_job_that_cannot_work_says_why(tmp_path: Path, settings: Settings, store: Store) -> None:
    broken = Jobs(load_settings(library=settings.library, bundle=tmp_path / "nowhere"))
    broken.start(None, recaption=False)
    last = until(broken, lambda job: job.finished)[-1]
    assert last.state == "failed"
    assert last.error is not None
    assert "nowhere" in last.error


def test_other_server_processes_see_and_stop_the_job(jobs: Jobs, store: Store, settings: Settings) -> None:
    other = Jobs(settings)
    job = jobs.start(None, recaption=False)
    assert other.current() == job
    with pytest.raises(JobError, match="already"):
        other.start(None, recaption=False)
    assert other.stop().state == "stopping"
    assert until(other, lambda job: job.finished)[-1].state == "stopped"


def test_a_stop_is_not_lost_between_a_read_of_the_job_and_the_write_after_it(jobs: Jobs, settings: Settings) -> None:
    file = JobFile(settings.library)
    settings.library.mkdir(parents=True, exist_ok=True)
    with file.acquire() or pytest.fail("the lock is held"):
        file.write(JobStatus(Job("1", "running", None, False, "now"), 2**22 + 1))  # above Linux' largest process id
        stopping = Thread(target=jobs.stop)
        with file.changing():
            before = file.read()
            assert before is not None
            stopping.start()
            stopping.join(0.2)
            assert stopping.is_alive()
            file.write(before)
        stopping.join(SECONDS)
        after = jobs.current()
        assert after is not None
        assert after.state == "stopping"


def test_a_job_whose_server_ended_has_failed(jobs: Jobs, settings: Settings, store: Store) -> None:
    JobFile(settings.library).write(JobStatus(Job("1", "running", None, False, "now"), 1))
    last = jobs.current()
    assert last is not None
    assert (last.state, last.error) == ("failed", "the server ended before the job did")
    (settings.library / "job.json").write_text("{")
    assert jobs.current() is None


@pytest.mark.parametrize("while_working", [False, True])
def test_a_job_and_its_lock_end_with_a_server_that_is_killed(
    jobs: Jobs, store: Store, settings: Settings, photos: Path, while_working: bool
) -> None:
    for number in range(300 if while_working else 0):
        draw_picture(photos / f"more{number}.png", "green", size=(40, 30), seed=100 + number)
    environment = child_environment(settings)
    command = [sys.executable, "-c", SERVER]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE)
    assert server.stdout is not None
    process = int(server.stdout.readline())
    if while_working:
        until(jobs, lambda job: job.done > 0)
    with pytest.raises(JobError, match="already"):
        jobs.start(None, recaption=True)
    server.kill()
    server.communicate()
    lock = wait_for_lock(settings.library)
    wait_for_end(process)
    lock.close()
    last = jobs.current()
    assert last is not None
    assert (last.state, last.error) == ("failed", "the server ended before the job did")
    jobs.start(None, recaption=True)


def wait_for_lock(library: Path) -> JobLock:
    """Return the lock of jobs, which the process of a job keeps as long as it runs, even without its server."""
    end = time.monotonic() + SECONDS
    while True:
        lock = JobFile(library).acquire()
        if lock is not None:
            return lock
        assert time.monotonic() < end


def test_a_job_does_not_know_the_token(
    jobs: Jobs, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETROFLEX_TOKEN", "let me in")
    jobs.start(None, recaption=True)
    status = JobFile(settings.library).read()
    assert status is not None
    environment = environment_of(status.pid)
    assert b"let me in" not in environment
    assert b"RETROFLEX_LIBRARY=" + os.fsencode(settings.library) in environment


def test_a_job_that_cannot_be_started_leaves_the_lock_free(
    jobs: Jobs, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(RetroflexError, match="cannot be started: No such file or directory; try again"):
            jobs.start(None, recaption=True)
    assert jobs.start(None, recaption=True).state == "running"
