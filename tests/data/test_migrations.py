from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data import migrations, tables
from data.migrations import migrate, schema_version
from data.store import Store, StoreError


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/plain.sqlite3")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def shape(connection: sa.Connection) -> dict[str, Any]:
    """Everything that the database says of its tables, in a comparable form."""
    inspector = sa.inspect(connection)
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name)["constrained_columns"],
            inspector.get_foreign_keys(name),
            sorted(str(index) for index in inspector.get_indexes(name)),
            sorted(str(unique) for unique in inspector.get_unique_constraints(name)),
            sorted(str(check) for check in inspector.get_check_constraints(name)),
        )
        for name in inspector.get_table_names()
    }


def test_all_migrations_together_give_the_tables_of_today(connection: sa.Connection, tmp_path: Path) -> None:
    migrate(connection)
    direct = sa.create_engine(f"sqlite:///{tmp_path}/direct.sqlite3")
    with direct.begin() as other:
        tables.metadata.create_all(other)
        assert shape(connection) == shape(other)
    direct.dispose()


def test_versions_are_numbered_and_kept(connection: sa.Connection) -> None:
    assert schema_version(connection) == 0
    migrate(connection)
    assert schema_version(connection) == len(migrations.MIGRATIONS)
    migrate(connection)
    assert schema_version(connection) == len(migrations.MIGRATIONS)


def add_rating(connection: sa.Connection) -> None:
    connection.execute(sa.text("ALTER TABLE pictures ADD COLUMN rating INTEGER"))


def test_an_older_store_is_brought_up_to_date_with_what_it_holds(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Store.open(url)
    first.prune()
    generation = first.generation()
    first.close()
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, add_rating])
    monkeypatch.setattr("data.store.MIGRATIONS", migrations.MIGRATIONS)
    again = Store.open(url)
    assert again.generation() == generation
    again.close()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert schema_version(connection) == len(migrations.MIGRATIONS)
        assert "rating" in {column["name"] for column in sa.inspect(connection).get_columns("pictures")}
    engine.dispose()


def test_a_migration_that_fails_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(url).close()

    def fail(connection: sa.Connection) -> None:
        add_rating(connection)
        connection.execute(sa.text("SELECT * FROM nowhere"))

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, fail])
        patched.setattr("data.store.MIGRATIONS", migrations.MIGRATIONS)
        with pytest.raises(StoreError, match="nowhere"):
            Store.open(url)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert schema_version(connection) == len(migrations.MIGRATIONS)
        assert "rating" not in {column["name"] for column in sa.inspect(connection).get_columns("pictures")}
    engine.dispose()


def test_a_library_of_the_first_version_keeps_its_vectors(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.sqlite3"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        migrations.MIGRATIONS[0](connection)
        connection.execute(sa.text("INSERT INTO meta VALUES ('schema_version', '1')"))
        connection.execute(sa.text("UPDATE meta SET value = '7' WHERE key = 'generation'"))
        connection.execute(sa.text("INSERT INTO pictures VALUES (1, 'd', 4, 3, 'JPEG', 9, NULL, '2026-01-01')"))
        connection.execute(sa.text("INSERT INTO files VALUES (x'2f61', 1, 9, 9)"))
        connection.execute(sa.text("INSERT INTO features VALUES (1, 'm1', x'003c00bc')"))
    engine.dispose()
    store = Store.open(url)
    (found,) = store.searched_pictures([1])
    assert found.vectors["vgg16"].model_version == "m1"
    assert found.vectors["vgg16"].values.tolist() == [1.0, -1.0]
    assert set(found.vectors) == {"vgg16"}
    known = store.changes(7)
    assert known is not None
    assert (known.generation, known.changed.tolist(), known.gone.tolist()) == (7, [], [])
    assert store.changes(6) is None
    store.close()
