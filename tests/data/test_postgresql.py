"""What is PostgreSQL's own: locks, crashes, codes of errors, and types that are as in SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Text, insert, inspect, make_url, select, text
from sqlalchemy.exc import OperationalError

from bench.deployment.postgresql import Server, programs, running_server
from data.checks import check_file
from data.database import Database
from data.store import (
    Batch,
    FileRow,
    PictureRow,
    Store,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreUnreachable,
)
from data.store_errors import store_error
from data.tables import items, metadata, skipped

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[postgres]'")

MakeBatch = Callable[..., Batch]
ROOT = Path(__file__).parents[2]
OPEN = "import sys; from data.store import *; Store.open(sys.argv[1]).write_batch(Batch())"


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    opened = Store.open(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that a test may break."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with running_server(found) as running:
        yield running


def test_three_processes_make_the_store_at_once(postgres: Server) -> None:
    url = postgres.database()
    workers = [subprocess.Popen([sys.executable, "-c", OPEN, url], cwd=ROOT) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]


def test_the_tables_are_those_that_are_declared(store: Store) -> None:
    with store.reading() as connection:
        stored = {name: inspect(connection).get_columns(name) for name in inspect(connection).get_table_names()}
        texts = text("SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = 'public'")
        assert set(connection.scalars(texts)) == {"C", None}
    assert {name: {column["name"]: column["nullable"] for column in own} for name, own in stored.items()} == {
        table.name: {column.name: bool(column.nullable) for column in table.c} for table in metadata.sorted_tables
    }
    ids = [
        one for name in ("items", "pictures", "captions", "facts") for one in stored[name] if one["name"][-2:] == "id"
    ]
    assert {type(one["type"]).__name__ for one in ids} == {"BIGINT"}


def test_the_tables_of_another_program_are_left_alone(postgres: Server) -> None:
    url = postgres.database()
    postgres.execute("CREATE TABLE customers (id int)", database=make_url(url).database or "")
    with pytest.raises(StoreError, match="holds tables of another program"):
        Store.open(url)


def test_a_reader_sees_one_state_throughout(store: Store, batch_of: MakeBatch) -> None:
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM files")) == 0
        store.write_batch(batch_of(b"/a.jpg"))
        assert connection.scalar(text("SELECT count(*) FROM files")) == 0
    assert store.status().files == 1


def test_generations_are_seen_in_their_order(postgres_url: str, batch_of: MakeBatch) -> None:
    """A follower that reads what changed since its state misses nothing that another process writes meanwhile."""
    writers = [Store.open(postgres_url) for _ in range(3)]
    follower = Store.open(postgres_url)
    known, seen = follower.generation(), set[int]()

    def write(store: Store, number: int) -> None:
        for batch in range(10):
            store.write_batch(batch_of(b"/%d-%d.jpg" % (number, batch)))

    threads = [threading.Thread(target=write, args=(store, number)) for number, store in enumerate(writers)]
    for thread in threads:
        thread.start()
    while len(seen) < 30:
        running = any(thread.is_alive() for thread in threads)
        changes = follower.changes(known)
        assert changes is not None
        known = changes.generation
        seen |= set(changes.changed.tolist())
        assert running or len(seen) == 30, "a change was missed"
    for thread in threads:
        thread.join()
    for store in (*writers, follower):
        store.close()


def test_a_locked_store_reads_but_says_why_it_cannot_write(
    postgres: Server, postgres_url: str, batch_of: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.postgresql.LOCK_SECONDS", 0.1)
    store = Store.open(postgres_url)
    with psycopg.connect(host=str(postgres.folder), user="retroflex", dbname=make_url(postgres_url).database) as other:
        other.execute("SELECT * FROM meta FOR UPDATE")
        with pytest.raises(StoreLocked, match="is in use by another program; wait") as caught:
            store.write_batch(batch_of(b"/a.jpg"))
        assert "\n" not in str(caught.value)
        assert store.status().files == 0
    store.write_batch(batch_of(b"/a.jpg"))
    store.close()


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        ("DiskFull", StoreFull, "its server's disk is full; free some space there"),
        ("DataCorrupted", StoreDamaged, "is damaged on its server; restore it from a backup"),
        ("IndexCorrupted", StoreDamaged, "is damaged on its server"),
        ("IoError", StoreDamaged, "is damaged on its server"),
        ("DeadlockDetected", StoreLocked, "is in use by another program"),
        ("SerializationFailure", StoreLocked, "is in use by another program"),
        ("TooManyConnections", StoreLocked, "takes no more connections"),
        ("AdminShutdown", StoreUnreachable, "cannot be reached"),
        ("InsufficientPrivilege", StoreError, "may not be read or written by this user"),
        ("ReadOnlySqlTransaction", StoreReadOnly, "give the address of its main server"),
        ("DivisionByZero", StoreError, "failed: why"),
    ],
)
def test_what_is_wrong_is_told_from_the_code(raised: str, kind: type[StoreError], words: str) -> None:
    error = store_error("the library", OperationalError("SELECT 1", {}, getattr(psycopg.errors, raised)("why")))
    assert type(error) is kind
    assert str(error).startswith("the library ")
    assert words in str(error)


def test_addresses_that_lead_nowhere_are_one_line(postgres: Server) -> None:
    missing = postgres.address("nowhere")
    for url, words in (
        (missing, 'database "nowhere" does not exist'),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/x", "cannot be opened: .*refused"),
        ("postgresql://me:secret@/x?host=/nonexistent", "cannot be opened: .*No such file"),
    ):
        with pytest.raises(StoreUnreachable, match=words) as caught:
            Store.open(url)
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'retroflex\[postgres\]'"):
        Database("postgresql://host/x")


def test_a_killed_server_loses_nothing_and_the_store_goes_on(server: Server, batch_of: MakeBatch) -> None:
    store = Store.open(server.database())
    store.write_batch(batch_of(b"/a.jpg"))
    server.kill()
    with pytest.raises(StoreUnreachable, match="server runs") as caught:
        store.write_batch(batch_of(b"/b.jpg"))
    assert "\n" not in str(caught.value)
    server.start()
    assert store.stored_files().keys() == {b"/a.jpg"}
    store.write_batch(batch_of(b"/b.jpg"))
    assert store.stored_files().keys() == {b"/a.jpg", b"/b.jpg"}
    store.close()


def test_damage_on_the_server_is_told(server: Server, batch_of: MakeBatch) -> None:
    url = server.database()
    store = Store.open(url)
    store.write_batch(batch_of(b"/a.jpg"))
    assert list(check_file(store)) == []
    ((file,),) = server.execute("SELECT pg_relation_filepath('features')", database=make_url(url).database or "")
    server.stop("fast")
    with open(server.data / str(file), "r+b") as pages:
        pages.write(os.urandom(100))
    server.start()
    with pytest.raises(StoreDamaged, match="is damaged on its server; restore it from a backup"):
        list(store.searched_pictures([1]))
    (found,) = check_file(store)
    assert found.mended is None
    assert "features: invalid page" in found.problem
    store.close()


def test_values_are_what_sqlite_makes_of_them(store: Store) -> None:
    moment = datetime(2024, 3, 31, 2, 30)  # which no clock of Kathmandu or Berlin may shift
    path = b"/\xff\n.jpg"
    store.write_batch(
        Batch(files=[FileRow(path, 2**40, 2**62, "d" * 80)], pictures=[PictureRow("d" * 80, 1, 1, "PNG", 1, moment)])
    )
    assert store.pictures([1])[1].taken_at == moment
    assert store.stored_files().keys() == {path}
    assert store.pictures([2**40, 10**18 - 1]) == {}
    store.set_user_caption(1, "a\0dog")
    assert store.pictures([1])[1].texts == ["a\ufffddog"]


def test_texts_are_ordered_by_code(store: Store) -> None:
    words = ["b", "B", "a", "Ä", "A", "_", "ä", "Z"]
    with store.writing() as connection:
        rows = [{"path": word.encode(), "size": 0, "mtime_ns": 0, "reason": word} for word in words]
        connection.execute(insert(skipped), rows)
    with store.reading() as connection:
        assert list(connection.scalars(select(skipped.c.reason).order_by(skipped.c.reason))) == sorted(words)
        assert isinstance(skipped.c.reason.type, Text)


def test_an_id_is_never_used_again(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg", b"/b.jpg"))
    store.remove([b"/b.jpg"])
    with store.reading() as connection:
        assert list(connection.scalars(select(items.c.id))) == [1]
    store.write_batch(batch_of(b"/c.jpg"))
    assert list(store.searched_ids()[1]) == [1, 3]
