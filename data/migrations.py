"""Numbered migrations: each brings the schema from the version before it to its own.

A released migration is never edited. A change of `data.tables` needs a new migration at the end of the list.
So migrations write out their tables and do not import `data.tables`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from data.albums.migration import add_albums
from data.catalogue.migration import add_catalogue
from data.faces.migration import add_faces
from data.films.migration import add_films
from data.metadata.migration import add_metadata, add_notes, add_positions
from data.postgresql import POSTGRESQL, unify_texts
from data.sharing.migration import add_sharing
from data.store_errors import StoreError

VERSION_KEY = "schema_version"
GENERATION_KEY = "generation"

_META = sa.table("meta", sa.column("key"), sa.column("value"))


def _first_tables(connection: sa.Connection) -> None:
    schema = sa.MetaData()
    sa.Table(
        "meta",
        schema,
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    sa.Table(
        "pictures",
        schema,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("taken_at", sa.DateTime),
        sa.Column("added_at", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    _first_file_tables(schema)
    _first_description_tables(schema)
    schema.create_all(connection, checkfirst=False)
    connection.execute(sa.insert(schema.tables["meta"]).values(key=GENERATION_KEY, value="0"))


def _first_file_tables(schema: sa.MetaData) -> None:
    sa.Table(
        "files",
        schema,
        sa.Column("path", sa.LargeBinary, primary_key=True),
        sa.Column("picture_id", sa.ForeignKey("pictures.id"), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Index("files_by_picture", "picture_id"),
    )
    sa.Table(
        "skipped",
        schema,
        sa.Column("path", sa.LargeBinary, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _first_description_tables(schema: sa.MetaData) -> None:
    sa.Table(
        "captions",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("logprob", sa.Float),
        sa.Column("model_version", sa.String(128)),
        sa.CheckConstraint("source IN ('model', 'user')", name="captions_source"),
        sa.UniqueConstraint("picture_id", "source", "rank", name="captions_in_order"),
    )
    sa.Table(
        "features",
        schema,
        sa.Column("picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("model_version", sa.String(128), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )


def _embeddings(connection: sa.Connection) -> None:
    """Add the picture's vector in the space that it shares with sentences; NULL for existing rows."""
    connection.execute(sa.DDL("ALTER TABLE features ADD COLUMN embedding " + _binary(connection)))


def _views(connection: sa.Connection) -> None:
    """Add the cells that the decoder attends to, see `captioner.cells`; NULL for existing rows."""
    connection.execute(sa.DDL("ALTER TABLE features ADD COLUMN views " + _binary(connection)))


def _changes(connection: sa.Connection) -> None:
    """Log which pictures changed when. Existing pictures count as unchanged, so nothing has to be read."""
    schema = sa.MetaData()
    sa.Table(
        "changes",
        schema,
        sa.Column("picture_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Index("changes_by_generation", "generation"),
    )
    generations = sa.Table(
        "generations", schema, sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False)
    )
    schema.create_all(connection, checkfirst=False)
    present = connection.scalar(sa.select(_META.c.value).where(_META.c.key == GENERATION_KEY))
    connection.execute(sa.insert(generations).values(generation=int(present or 0)))


def _binary(connection: sa.Connection) -> str:
    return sa.LargeBinary().compile(dialect=connection.dialect)


def _caption_history(connection: sa.Connection) -> None:
    """Keep earlier texts of a person's captions, for undo; NULL where there was none."""
    schema = sa.MetaData()
    sa.Table("pictures", schema, sa.Column("id", sa.Integer, primary_key=True))
    history = sa.Table(
        "caption_history",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
        sa.Column("text", sa.Text),
        sa.Index("caption_history_by_picture", "picture_id"),
    )
    history.create(connection)


def _roots(connection: sa.Connection) -> None:
    """Keep the folders that were indexed by name."""
    table = sa.Table(
        "roots",
        sa.MetaData(),
        sa.Column("path", sa.LargeBinary, primary_key=True),
        sa.Column("exclude", sa.Text, nullable=False),
        sa.Column("indexed_at", sa.DateTime),
    )
    table.create(connection)


def _choices(connection: sa.Connection) -> None:
    """Keep which of several copies a person wants to keep."""
    schema = sa.MetaData()
    sa.Table("pictures", schema, sa.Column("id", sa.Integer, primary_key=True))
    table = sa.Table(
        "choices",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("group_key", sa.String(64), nullable=False),
        sa.Column("picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("keep", sa.Boolean, nullable=False),
        sa.UniqueConstraint("picture_id", "path", name="choices_of_a_copy"),
    )
    table.create(connection)


def _items(connection: sa.Connection) -> None:
    """Make items, with pictures under their old ids, and features with one row for each kind.

    Nothing is described again. The columns of a row become the kinds `vgg16`, `joint` and `cells`.
    """
    _make_items(connection)
    old = {name: _renamed(connection, name) for name in ("captions", "features")}
    schema = sa.MetaData()
    sa.Table("items", schema, sa.Column("id", sa.Integer, primary_key=True))
    captions, features = _item_captions(schema), _tall_features(schema)
    schema.create_all(connection, tables=[captions, features], checkfirst=False)
    before: Any = sa.select(*(sa.column(name) for name in _OLD_CAPTION)).select_from(old["captions"])
    connection.execute(captions.insert().from_select([column.name for column in captions.columns], before))
    for column, kind, vector in (("vector", "vgg16", True), ("embedding", "joint", True), ("views", "cells", False)):
        value = sa.column(column, sa.LargeBinary)
        dimensions = sa.func.length(value) / 2 if vector else sa.null()
        made: tuple[Any, ...] = (
            sa.column("picture_id"),
            sa.literal(kind),
            sa.column("model_version"),
            sa.cast(dimensions, sa.Integer),
        )
        rows = sa.select(*made, value).select_from(old["features"]).where(value.is_not(None))
        connection.execute(features.insert().from_select([target.name for target in features.columns], rows))
    for table in old.values():
        connection.execute(sa.DDL(f"DROP TABLE {table.name}"))
    if connection.dialect.name == "postgresql":
        _continue_ids(connection, "captions")


_OLD_CAPTION = ("id", "picture_id", "source", "rank", "text", "logprob", "model_version")


def _make_items(connection: sa.Connection) -> None:
    schema = sa.MetaData()
    items = sa.Table(
        "items",
        schema,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("parent_id", sa.ForeignKey("items.id", ondelete="CASCADE")),
        sa.Column("box_left", sa.Float),
        sa.Column("box_top", sa.Float),
        sa.Column("box_width", sa.Float),
        sa.Column("box_height", sa.Float),
        sa.Column("seconds", sa.Float),
        sa.Index("items_by_parent", "parent_id"),
        sqlite_autoincrement=True,
    )
    schema.create_all(connection, checkfirst=False)
    pictures: Any = sa.select(sa.column("id"), sa.literal("picture")).select_from(sa.table("pictures"))
    connection.execute(items.insert().from_select(["id", "kind"], pictures))
    _continue_ids(connection, "items", after="pictures")


def _renamed(connection: sa.Connection, name: str) -> sa.TableClause:
    connection.execute(sa.DDL(f"ALTER TABLE {name} RENAME TO {name}_before_items"))
    return sa.table(f"{name}_before_items")


def _item_captions(schema: sa.MetaData) -> sa.Table:
    return sa.Table(
        "captions",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("item_id", sa.ForeignKey("items.id", ondelete="CASCADE"), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("logprob", sa.Float),
        sa.Column("model_version", sa.String(128)),
        sa.CheckConstraint("source IN ('model', 'user')", name="caption_source"),
        sa.UniqueConstraint("item_id", "source", "rank", name="captions_by_item"),
    )


def _tall_features(schema: sa.MetaData) -> sa.Table:
    return sa.Table(
        "features",
        schema,
        sa.Column("item_id", sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("model_version", sa.String(128), nullable=False),
        sa.Column("dimensions", sa.Integer),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Index("features_by_model", "model_version", "kind", "item_id"),
    )


def _continue_ids(connection: sa.Connection, name: str, after: str | None = None) -> None:
    """Continue the ids of `name` after its own and all that table `after` ever used, so that no id is used twice."""
    if connection.dialect.name == "sqlite":
        _set_sqlite_sequence(connection, name, (name, after))
    elif connection.dialect.name == "postgresql":
        largest = f"(SELECT COALESCE(MAX(id), 0) FROM {name})"
        if after is not None:
            last_id = f"pg_sequence_last_value(pg_get_serial_sequence('{after}', 'id')::regclass)"
            largest = f"GREATEST({largest}, COALESCE({last_id}, 0))"
        connection.execute(sa.DDL(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {largest} + 1, false)"))


def _set_sqlite_sequence(connection: sa.Connection, name: str, tables: tuple[str | None, ...]) -> None:
    sequences = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
    last_id = connection.scalar(sa.select(sa.func.max(sequences.c.seq)).where(sequences.c.name.in_(tables)))
    connection.execute(sa.delete(sequences).where(sequences.c.name == name))
    connection.execute(sa.insert(sequences).values(name=name, seq=last_id or 0))


def _identity(connection: sa.Connection) -> None:
    """Add hashes of pixels, the files that are absent, and which new pictures may continue which older ones."""
    connection.execute(sa.DDL("ALTER TABLE pictures ADD COLUMN pixels VARCHAR(32)"))
    schema = sa.MetaData()
    pictures = sa.Table("pictures", schema, sa.Column("id", sa.Integer, primary_key=True), sa.Column("pixels"))
    absent = sa.Table(
        "absent_files",
        schema,
        sa.Column("path", sa.LargeBinary, primary_key=True),
        sa.Column(
            "picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Index("absent_files_by_picture", "picture_id"),
    )
    successions = sa.Table(
        "successions",
        schema,
        sa.Column("path", sa.LargeBinary, primary_key=True),
        sa.Column(
            "picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("successor_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
        sa.Column("sure", sa.Boolean, nullable=False),
        sa.Index("successions_by_picture", "picture_id"),
        sa.Index("successions_by_successor", "successor_id"),
    )
    schema.create_all(connection, tables=[absent, successions], checkfirst=False)
    sa.Index("pictures_by_pixels", pictures.c.pixels).create(connection)


def _colours(connection: sa.Connection) -> None:
    """Add the colours that pictures mostly have; 0 for existing rows, until `index` looks at their files."""
    connection.execute(sa.DDL("ALTER TABLE pictures ADD COLUMN colours INTEGER NOT NULL DEFAULT 0"))


MIGRATIONS: list[Callable[[sa.Connection], None]] = [
    _first_tables,
    _embeddings,
    _views,
    _changes,
    _caption_history,
    _roots,
    _choices,
    _items,
    _identity,
    add_metadata,
    add_notes,
    add_catalogue,
    _colours,
    add_faces,
    add_sharing,
    add_films,
    add_albums,
    add_positions,
]
"""The migration at index n brings a store of version n to version n + 1."""


def schema_version(connection: sa.Connection) -> int:
    """Return the schema version of the store behind `connection`, 0 for one without tables."""
    if not sa.inspect(connection).has_table("meta"):
        return 0
    value = connection.scalar(sa.select(_META.c.value).where(_META.c.key == VERSION_KEY))
    return int(value) if value is not None and value.isdecimal() else 0


def migrate(connection: sa.Connection) -> None:
    """Run the migrations that the store lacks, inside the caller's transaction.

    Raises StoreError for a database with tables of another program.
    """
    version = schema_version(connection)
    if version == 0 and sa.inspect(connection).get_table_names():
        raise StoreError("the database holds tables of another program; choose another place for the library")
    for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
        migration(connection)
        connection.execute(sa.delete(_META).where(_META.c.key == VERSION_KEY))
        connection.execute(sa.insert(_META).values(key=VERSION_KEY, value=str(number)))
    if connection.dialect.name == POSTGRESQL:
        unify_texts(connection)
