"""The migration that adds films; a released migration is never edited."""

from __future__ import annotations

import sqlalchemy as sa


def add_films(connection: sa.Connection) -> None:
    """Add films, and the films that belong to Live Photos; a library from before has none."""
    schema = sa.MetaData()
    sa.Table("pictures", schema, sa.Column("id", sa.Integer, primary_key=True))
    films = sa.Table(
        "films",
        schema,
        sa.Column(
            "picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("duration", sa.Float, nullable=False),
        sa.Column("sampling", sa.String(32), nullable=False),
    )
    motions = sa.Table(
        "motions",
        schema,
        sa.Column("path", sa.LargeBinary, primary_key=True),
        sa.Column("picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Index("motions_by_picture", "picture_id"),
    )
    schema.create_all(connection, tables=[films, motions], checkfirst=False)
