"""A library is copied from SQLite to PostgreSQL and back, and holds the same; a stopped copy goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from data.database import Database
from data.sharing import copying
from data.sharing.copying import PASSING, copy_store
from data.store import Batch, Store, StoreDamaged, StoreError
from data.tables import captions, files, indexers, items, meta, metadata, people

OLD = Path(__file__).parents[1] / "libraries" / "version_7.sqlite3"
MakeBatch = Callable[..., Batch]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    """A library of all kinds of rows, from an older version."""
    file = tmp_path / "source" / "library.sqlite3"
    file.parent.mkdir()
    shutil.copy(OLD, file)
    store = Store.open(f"sqlite:///{file}")
    with store.writing() as connection:
        connection.execute(insert(people).values(id=70, name="Ana\0 Λ", hidden=False))
        connection.execute(delete(people))
        connection.execute(insert(people).values(name="Ana\0 Λ", hidden=True))
    yield store
    store.close()


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store.reading() as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
            if table not in PASSING
        }


def test_a_library_moves_to_postgresql_and_back(
    source: Store, postgres_url: str, tmp_path: Path, batch_of: MakeBatch
) -> None:
    shown: list[tuple[str, int, int]] = []
    with closing(Store.open(postgres_url, unfinished=True)) as target:
        rows = copy_store(source, target, lambda *step: shown.append(step))
        there = content(target)
        assert there.pop("people") == [{"id": 71, "name": "Ana\ufffd Λ", "hidden": True}]
        assert there == {name: own for name, own in content(source).items() if name != "people"}
        assert target.generation() == source.generation()
        assert target.changes(source.generation()) is not None
    assert rows == sum(len(own) for name, own in there.items() if name != "meta") + 1
    assert {what: (done, total) for what, done, total in shown} == {
        "copying": (rows, rows),
        "verifying": (rows, rows),
    }
    back = f"sqlite:///{tmp_path}/back/library.sqlite3"
    with closing(Store.open(postgres_url)) as target, closing(Store.open(back, unfinished=True)) as again:
        copy_store(target, again)
        assert content(again) == content(target)
    for url in (postgres_url, back):
        with closing(Store.open(url)) as store:
            store.write_batch(batch_of(b"/new.jpg"))
            with store.writing() as connection:
                assert connection.scalar(select(func.max(items.c.id))) == 25  # 24 was the last one, which is gone
                assert connection.execute(insert(people).values(hidden=False)).inserted_primary_key == (72,)


@pytest.mark.parametrize("steps", [1, 5, 30])
def test_a_stopped_copy_goes_on(source: Store, store_url: str, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "AT_ONCE", 3)

    def stop(what: str, done: int, total: int) -> None:
        if what == "copying" and done >= steps:
            raise KeyboardInterrupt

    with closing(Store.open(store_url, unfinished=True)) as target:
        with pytest.raises(KeyboardInterrupt):
            copy_store(source, target, stop)
        with pytest.raises(StoreError, match="is not finished; run the same `retroflex copy` again"):
            Store.open(store_url)
        shown: list[int] = []
        copy_store(source, target, lambda what, done, total: shown.append(done))
        assert steps <= max(shown[: len(metadata.tables)])
        assert content(target).keys() == content(source).keys()
        assert content(target)["captions"] == content(source)["captions"]
    Store.open(store_url).close()


def test_what_changed_meanwhile_is_copied_too(source: Store, postgres_url: str, batch_of: MakeBatch) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "verifying":
            raise KeyboardInterrupt

    with closing(Store.open(postgres_url, unfinished=True)) as target:
        with pytest.raises(KeyboardInterrupt):
            copy_store(source, target, stop)
        source.set_user_caption(3, "other words")
        source.write_batch(batch_of(b"/new.jpg"))
        with source.writing() as connection:
            connection.execute(delete(people))
        copy_store(source, target)
        assert content(target) == content(source)


def test_the_library_may_be_used_while_it_is_copied(source: Store, postgres_url: str, batch_of: MakeBatch) -> None:
    before = content(source)["files"]

    def write(what: str, done: int, total: int) -> None:
        source.write_batch(batch_of(b"/%d.jpg" % done, digest=f"d{what}{done}"))

    with closing(Store.open(postgres_url, unfinished=True)) as target:
        copy_store(source, target, write)
        assert content(target)["files"] == before


def test_another_library_is_never_overwritten(source: Store, postgres_url: str, batch_of: MakeBatch) -> None:
    with closing(Store.open(postgres_url)) as target:
        target.write_batch(batch_of(b"/a.jpg"))
        before = content(target)
        with pytest.raises(StoreError, match="holds a library already; give the address of an empty database"):
            copy_store(source, target)
        assert content(target) == before
    with closing(Store.open(postgres_url, unfinished=True)) as target:
        with target.coordinating() as connection:
            connection.execute(insert(meta).values(key="copying", value="123 456"))
        with pytest.raises(StoreError, match="part of the copy of another library"):
            copy_store(source, target)


def test_a_difference_is_found(source: Store, postgres_url: str) -> None:
    def change(what: str, done: int, total: int) -> None:
        if done == total:
            with target.coordinating() as connection:
                connection.execute(update(captions).where(captions.c.id == 2).values(text="other"))

    with closing(Store.open(postgres_url, unfinished=True)) as target:
        with pytest.raises(StoreError, match="differs from its source in captions"):
            copy_store(source, target, change)
        with pytest.raises(StoreError, match="not finished"):
            Store.open(postgres_url)


def test_a_damaged_library_is_checked_first(source: Store, postgres_url: str) -> None:
    with source.writing() as connection:
        connection.exec_driver_sql("UPDATE captions SET text = x'ff' WHERE id = 1")
    with (
        closing(Store.open(postgres_url, unfinished=True)) as target,
        pytest.raises(StoreDamaged, match=r"has damaged rows \(1\); run `retroflex check` first"),
    ):
        copy_store(source, target)


def test_what_is_going_on_is_not_copied(source: Store, postgres_url: str) -> None:
    with closing(Database(postgres_url)) as database, database.writing() as connection:
        connection.execute(insert(indexers).values(id="i", expires_at=func.now()))
    with closing(Store.open(postgres_url, unfinished=True)) as target:
        copy_store(source, target)
        with target.reading() as connection:
            assert connection.scalar(select(func.count()).select_from(indexers)) == 0
            assert connection.scalar(select(func.count()).select_from(files)) > 0
