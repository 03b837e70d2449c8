"""The migrations that add what files say of themselves; a released migration is never edited."""

from __future__ import annotations

import sqlalchemy as sa


def add_metadata(connection: sa.Connection) -> None:
    """Add the source of dates, dates in file names, and texts in picture files; NULL and none for existing rows.

    `index` reads them from the files, see `retrieval.indexing.metadata`.
    """
    moment = sa.DateTime().compile(dialect=connection.dialect)
    connection.execute(sa.DDL("ALTER TABLE pictures ADD COLUMN taken_from VARCHAR(16)"))
    connection.execute(sa.DDL("ALTER TABLE pictures ADD COLUMN metadata_version INTEGER"))
    connection.execute(sa.DDL(f"ALTER TABLE files ADD COLUMN named_at {moment}"))
    schema = sa.MetaData()
    sa.Table("pictures", schema, sa.Column("id", sa.Integer, primary_key=True))
    table = sa.Table(
        "picture_texts",
        schema,
        sa.Column(
            "picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("rank", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("field", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    table.create(connection)


def add_notes(connection: sa.Connection) -> None:
    """Add notes on pictures, and what sidecars files had; none for existing rows, see `retrieval.indexing.metadata`."""
    connection.execute(sa.DDL("ALTER TABLE files ADD COLUMN sidecars VARCHAR(32)"))
    schema = sa.MetaData()
    sa.Table("pictures", schema, sa.Column("id", sa.Integer, primary_key=True))
    table = sa.Table(
        "picture_notes",
        schema,
        sa.Column(
            "picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("about", sa.String(16), primary_key=True),
        sa.Column("rank", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    table.create(connection)


def add_positions(connection: sa.Connection) -> None:
    """Add where pictures were taken and which gazetteer named the place; NULL for existing rows.

    `index` reads positions from the files, see `retrieval.indexing.metadata` and `retrieval.indexing.places`.
    """
    degrees = sa.Float().compile(dialect=connection.dialect)
    for column in (f"latitude {degrees}", f"longitude {degrees}", "gazetteer VARCHAR(64)"):
        connection.execute(sa.DDL(f"ALTER TABLE pictures ADD COLUMN {column}"))
