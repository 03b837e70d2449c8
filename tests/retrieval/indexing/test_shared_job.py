"""The job of a library that servers of several machines share: seen, refused and stopped by any of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from data.paths import to_bytes
from data.roots import remember_root
from data.settings import load_settings
from data.sharing.state import JOB_KEY, change_value
from data.store import Store
from retrieval.indexing import shared_job
from retrieval.indexing.job import SERVER_ENDED, Job, JobStatus
from retrieval.indexing.jobs import JobError, Jobs
from retrieval.indexing.shared_job import SharedJob
from tests.retrieval.indexing.test_jobs import until

RUNNING = Job("1", "running", None, False, "now")


@pytest.fixture
def stores(postgres_url: str, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Store]]:
    monkeypatch.setattr(shared_job, "RENEW_SECONDS", 0.02)
    monkeypatch.setattr(SharedJob, "poll_seconds", 0.02)
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(Store.open(postgres_url))) for _ in range(2)]
        remember_root(opened[0], to_bytes(photos))
        yield opened


@pytest.fixture
def servers(stores: list[Store], postgres_url: str, tmp_path: Path, tiny_bundle: Path) -> Iterator[list[Jobs]]:
    made = [
        Jobs(load_settings(library=tmp_path / f"m{number}", database_url=postgres_url, bundle=tiny_bundle), store)
        for number, store in enumerate(stores)
    ]
    yield made
    for one in made:
        one.close()


@pytest.mark.slow
def test_another_server_sees_and_stops_the_job_and_may_start_the_next(servers: list[Jobs]) -> None:
    first, second = servers
    assert second.current() is None
    job = first.start(None, recaption=False)
    for one in servers:
        with pytest.raises(JobError, match="already"):
            one.start(None, recaption=False)
    assert second.current() == job
    assert second.stop().state == "stopping"
    assert until(second, lambda job: job.finished)[-1].state == "stopped"
    with pytest.raises(JobError, match="nothing"):
        second.stop()
    first.close()  # the lease of an ended job is given back a moment after its end is seen
    again = second.start(None, recaption=False)
    assert (again.state, again.id != job.id) == ("running", True)
    assert first.current() == again


def test_a_job_whose_server_has_died_has_failed_when_its_lease_ends(stores: list[Store]) -> None:
    first, second = (SharedJob(store) for store in stores)
    lock = first.acquire()
    assert lock is not None
    first.write(JobStatus(RUNNING, 1, lock.name))
    assert second.acquire() is None
    status = second.read()
    assert status is not None
    assert status.job == RUNNING
    assert (first.is_here(status), second.is_here(status)) == (True, False)
    lock.close()
    dead = second.read()
    assert dead is not None
    assert (dead.job.state, dead.job.error) == ("failed", SERVER_ENDED)
    other = second.acquire()
    assert other is not None
    lock.close()  # once more, by a thread that comes late: the lease of the other stays
    assert first.acquire() is None
    other.close()


def test_a_stop_is_not_lost_by_progress_that_is_written_late(stores: list[Store]) -> None:
    first, second = (SharedJob(store) for store in stores)
    with first.acquire() or pytest.fail("the lease is taken") as lock:
        running = JobStatus(RUNNING, 1, lock.name)
        first.write(running)
        stopping = JobStatus(Job("1", "stopping", None, False, "now"), 1, lock.name)
        second.write(stopping)
        first.write(running)
        assert second.read() == stopping
        ended = JobStatus(Job("1", "stopped", None, False, "now"), 1, lock.name)
        first.write(ended)
        second.write(stopping)
        assert second.read() == ended


def test_a_value_that_cannot_be_read_is_no_job(stores: list[Store]) -> None:
    change_value(stores[0], JOB_KEY, lambda value, now: "{")
    assert SharedJob(stores[1]).read() is None
    with SharedJob(stores[1]).acquire() or pytest.fail("it is free"):
        pass
