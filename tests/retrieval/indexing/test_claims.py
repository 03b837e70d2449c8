"""Several machines index into one library in PostgreSQL: each content is described once, also when one of them dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, update

from captioner import pipeline
from captioner.encoders.base import Features
from data.limits import DEFAULT_LIMITS
from data.sharing import claims as sharing
from data.sharing.claims import Claims, claiming
from data.store import Store
from data.tables import claims, indexers
from retrieval.indexing.indexer import Report, index
from tests.retrieval.indexing.test_indexer import FakeCaptioner, contents, run

ROOT = Path(__file__).parents[3]
HANG = """
import sys, threading
from pathlib import Path
from data.sharing import claims
from data.limits import DEFAULT_LIMITS
from data.store import Store
from retrieval.indexing.indexer import index
from tests.retrieval.indexing.test_indexer import FakeCaptioner
class Hanging(FakeCaptioner):
    def encode(self, pictures):
        print("encoding", flush=True)
        threading.Event().wait()
claims.LEASE_SECONDS = 1.0
index(Store.open(sys.argv[1]), Hanging(), [Path(sys.argv[2])], DEFAULT_LIMITS)
"""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "POLL_SECONDS", 0.02)


@pytest.fixture
def stores(postgres_url: str) -> Iterator[list[Store]]:
    """Two connections to one library, as of two machines."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Store.open(postgres_url))) for _ in range(2)]


class Held(FakeCaptioner):
    """Encodes when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let = threading.Event(), threading.Event()

    def encode(self, pictures: np.ndarray) -> Features:
        self.begun.set()
        assert self.let.wait(60)
        return super().encode(pictures)


def start(store: Store, folder: Path, captioner: FakeCaptioner) -> tuple[threading.Thread, list[Report]]:
    reports: list[Report] = []
    thread = threading.Thread(
        target=lambda: reports.append(index(store, captioner, [folder], DEFAULT_LIMITS)), daemon=True
    )
    thread.start()
    return thread, reports


def test_what_another_machine_describes_is_waited_for(
    stores: list[Store], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, waiting = Held(), FakeCaptioner(), threading.Event()
    thread, reports = start(stores[0], photos, first)
    assert first.begun.wait(60)
    wait = Claims.wait

    def note(own: Claims, digests: dict[str, object]) -> set[str]:
        if digests:
            waiting.set()
        return wait(own, digests)

    monkeypatch.setattr(Claims, "wait", note)
    other, others = start(stores[1], photos, second)
    assert waiting.wait(60)
    first.let.set()
    thread.join(60)
    other.join(60)
    assert (first.seen, second.seen) == (12, 0)
    assert (reports[0].captioned, others[0].captioned, others[0].known_content) == (12, 0, 12)
    assert stores[0].status().pictures == 12
    assert claimed(stores[0]) == (0, 0)


def claimed(store: Store) -> tuple[int, int]:
    with store.reading() as connection:
        counts = [connection.scalar(select(func.count()).select_from(table)) or 0 for table in (indexers, claims)]
    return counts[0], counts[1]


def test_two_machines_at_once_describe_each_picture_once(
    stores: list[Store], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "notes.jpg").write_text("this is no picture")
    monkeypatch.setattr(pipeline, "BATCH", 2)
    captioners = [FakeCaptioner(), FakeCaptioner()]
    runs = [start(store, photos, captioner) for store, captioner in zip(stores, captioners, strict=True)]
    for thread, _ in runs:
        thread.join(120)
    reports = [reported[0] for _, reported in runs]
    assert sum(captioner.seen for captioner in captioners) == sum(report.captioned for report in reports) == 12
    assert [len(report.skipped) for report in reports] == [1, 1]
    alone = Store.open(f"sqlite:///{tmp_path}/alone.sqlite3")
    run(alone, photos)
    assert contents(stores[0]) == contents(alone)
    assert stores[0].status().files == 12
    alone.close()


def test_the_claims_of_a_killed_machine_expire(postgres_url: str, stores: list[Store], photos: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANG, postgres_url, str(photos)], cwd=ROOT, stdout=subprocess.PIPE
    ) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == b"encoding\n"
        assert claimed(stores[0]) == (1, 12)
        dying.send_signal(signal.SIGKILL)
    captioner = FakeCaptioner()
    report = run(stores[0], photos, captioner)
    assert (report.captioned, captioner.seen) == (12, 12)
    assert claimed(stores[0]) == (0, 0)


def test_claims_last_as_long_as_their_lease(stores: list[Store]) -> None:
    with claiming(stores[0], "m1") as first, claiming(stores[1], "m1") as second:
        assert first.take({"a", "b"}) == ({"a", "b"}, set())
        assert second.take({"a", "b", "c"}) == ({"c"}, {"a", "b"})
        first.release({"a"})
        assert second.wait({"a", "b"}) == {"a"}
        with stores[0].coordinating() as connection:
            connection.execute(update(indexers).values(expires_at=datetime(2020, 1, 1)))
        second.renew()
        assert second.wait({"b"}) == {"b"}
        assert second.take({"b"}) == ({"b"}, set())
        assert first.take({"a", "b", "c"}) == ({"a"}, {"b", "c"})


def test_a_lease_is_renewed_while_its_indexer_lives(stores: list[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LEASE_SECONDS", 0.1)

    def expires() -> datetime:
        with stores[1].reading() as connection:
            return connection.execute(select(indexers.c.expires_at)).scalar_one()

    with claiming(stores[0], "m1"):
        first, end = expires(), time.monotonic() + 60
        while expires() == first:
            assert time.monotonic() < end, "it is not renewed"


def test_in_sqlite_all_contents_are_ones_own(tmp_path: Path) -> None:
    with closing(Store.open(f"sqlite:///{tmp_path}/store.sqlite3")) as store, claiming(store, "m1") as own:
        assert own.take({"a"}) == ({"a"}, set())
        assert own.wait({}) == set()
        assert claimed(store) == (0, 0)
