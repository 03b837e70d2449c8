"""The store when things go wrong: locked, full, damaged, too new, killed."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, make_url

from data.migrations import MIGRATIONS
from data.store import (
    Batch,
    Store,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreTooNew,
)

MakeBatch = Callable[..., Batch]
ROOT = Path(__file__).parents[2]

HOLD_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

WRITE_BATCHES = """
import sys
import numpy as np
from data.store import *
store = Store.open(sys.argv[1])
for batch in range(10_000):
    names = [f"{batch}-{number}" for number in range(20)]
    captions = [CaptionRow(f"caption {rank}", -rank) for rank in range(5)]
    store.write_batch(Batch(
        files=[FileRow(b"/" + name.encode(), 1, 1, name) for name in names],
        pictures=[PictureRow(name, 1, 1, "PNG", 1, None) for name in names],
        descriptions=[DescriptionRow(name, "m1", captions, {"vgg16": np.ones(64, np.float32)}) for name in names],
    ))
    print(batch, flush=True)
"""


def file_of(url: str) -> Path:
    return Path(make_url(url).database or "")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The address of an SQLite file; what is PostgreSQL's own is tested in `test_postgresql`."""
    return f"sqlite:///{tmp_path}/library/library.sqlite3"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.database.BUSY_SECONDS", 0.1)


@pytest.fixture
def locked_url(url: str, impatient: None) -> Iterator[str]:
    """The address of a store that another process is writing to."""
    Store.open(url).close()
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(file_of(url))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield url
        holder.communicate()


def test_a_store_locked_by_another_process_reads_but_says_why_it_cannot_write(
    locked_url: str, batch_of: MakeBatch
) -> None:
    store = Store.open(locked_url)
    calls = [
        lambda: store.write_batch(batch_of(b"/a.jpg")),
        lambda: store.remove([b"/a.jpg"]),
        lambda: store.set_user_caption(1, "mine"),
        store.prune,
    ]
    for call in calls:
        with pytest.raises(StoreLocked, match=r"library\.sqlite3 is in use by another program; wait") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert store.status().files == 0
    store.close()


def test_a_writer_waits_for_a_short_lock(url: str, batch_of: MakeBatch) -> None:
    store = Store.open(url)
    other = sqlite3.connect(file_of(url), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, other.execute, ["COMMIT"])
    timer.start()
    store.write_batch(batch_of(b"/a.jpg"))
    timer.join()
    assert store.status().files == 1
    other.close()
    store.close()


def test_a_lock_while_the_tables_are_made(url: str, impatient: None) -> None:
    file_of(url).parent.mkdir()
    with sqlite3.connect(file_of(url), isolation_level=None) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked):
            Store.open(url)
        other.execute("ROLLBACK")
    Store.open(url).close()


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Every new connection behaves as if the disk had room for 80 pages only."""

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 80")

    event.listen(Engine, "connect", limit)
    yield
    event.remove(Engine, "connect", limit)


def test_a_full_disk_keeps_whole_batches_only(url: str, batch_of: MakeBatch, small_disk: None) -> None:
    store = Store.open(url)
    store.write_batch(batch_of(b"/first.jpg"))
    before = store.status()
    with pytest.raises(StoreFull, match=r"library\.sqlite3 cannot grow because the disk is full; free some space"):
        store.write_batch(batch_of(*(b"/%d.jpg" % number for number in range(5000))))
    assert store.status() == before
    store.write_batch(batch_of(b"/second.jpg"))
    assert store.status().files == 2
    store.close()


def test_a_file_that_is_no_database(url: str) -> None:
    file_of(url).parent.mkdir()
    file_of(url).write_bytes(b"These are my holiday notes. " * 100)
    with pytest.raises(StoreDamaged, match="is no library file or is damaged"):
        Store.open(url)
    assert file_of(url).read_bytes().startswith(b"These are my holiday notes. ")


def test_a_damaged_database_is_named(url: str, batch_of: MakeBatch) -> None:
    store = Store.open(url)
    store.write_batch(batch_of(*(b"/%d.jpg" % number for number in range(2000))))
    store.close()
    content = bytearray(file_of(url).read_bytes())
    for page in range(3, len(content) // 4096):
        content[page * 4096 : page * 4096 + 2000] = b"\xaa" * 2000
    file_of(url).write_bytes(content)
    with pytest.raises(StoreDamaged, match="is damaged; restore it from a backup, or move it away and index again"):
        read_everything(Store.open(url))


def read_everything(store: Store) -> object:
    walked = [store.stored_files(), list(store.searched_pictures(range(3000)))]
    return walked, list(store.pictures(range(3000)).values())


def test_a_vector_with_half_a_number_is_left_out(url: str, batch_of: MakeBatch) -> None:
    store = Store.open(url)
    store.write_batch(batch_of(b"/a.jpg", b"/b.jpg"))
    with sqlite3.connect(file_of(url)) as other:
        other.execute("UPDATE features SET value = x'000000' WHERE item_id = 1")
    assert [set(one.vectors) for one in store.searched_pictures([1, 2])] == [set(), {"vgg16"}]
    store.close()


def test_a_store_of_a_newer_version_is_left_alone(url: str) -> None:
    Store.open(url).close()
    with sqlite3.connect(file_of(url)) as other:
        other.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(StoreTooNew, match=f"is of version 99, this program reads up to {len(MIGRATIONS)}; update"):
        Store.open(url)


@pytest.mark.parametrize("table", ["meta (x)", "customers (id)"])
def test_the_database_of_another_program_is_left_alone(url: str, table: str) -> None:
    file_of(url).parent.mkdir()
    with sqlite3.connect(file_of(url)) as other:
        other.execute(f"CREATE TABLE {table}")
    with pytest.raises(StoreError):
        Store.open(url)
    with sqlite3.connect(file_of(url)) as other:
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", "malformed"),
        ("sqlite:////dev/null/library.sqlite3", "cannot make the folder /dev/null"),
        ("oracle+nothing://host/x", "is neither SQLite nor PostgreSQL"),
        ("postgresql://host:port/x", "malformed"),
        ("sqlite:////", "cannot be opened"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_line(address: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        Store.open(address)
    assert "\n" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(StoreError) as caught:
        Store.open("nothing://me:secret@host/x")
    assert "secret" not in str(caught.value)


def test_two_processes_may_make_the_store_at_once(url: str) -> None:
    program = "import sys; from data.store import *; Store.open(sys.argv[1]).write_batch(Batch())"
    workers = [subprocess.Popen([sys.executable, "-c", program, url], cwd=ROOT) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_leaves_whole_batches_and_all_it_reported(url: str, seed: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_BATCHES, url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        time.sleep(random.Random(seed).uniform(0, 0.15))
        os.kill(writer.pid, signal.SIGKILL)
        reported = [0, *map(int, writer.stdout.read().split())]
    store = Store.open(url)
    status = store.status()
    batches = status.files // 20
    assert batches in (len(reported), len(reported) + 1)
    assert (status.files, status.pictures, status.captions) == (batches * 20, batches * 20, batches * 100)
    searched = list(store.searched_pictures(store.searched_ids()[1].tolist()))
    assert [one.vectors["vgg16"].values.shape for one in searched] == [(64,)] * batches * 20
    with sqlite3.connect(file_of(url)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
