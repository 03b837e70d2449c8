"""The migration that adds favourites and albums; a released migration is never edited."""

from __future__ import annotations

import sqlalchemy as sa


def add_albums(connection: sa.Connection) -> None:
    """Add favourites, albums with their pictures, an undo log of albums, and the number of changes."""
    schema = sa.MetaData()
    sa.Table("pictures", schema, sa.Column("id", sa.Integer, primary_key=True))
    favourites = sa.Table(
        "favourites",
        schema,
        sa.Column(
            "picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("since", sa.DateTime, nullable=False),
    )
    albums = sa.Table(
        "albums",
        schema,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("query", sa.Text),
        sa.Column("cover_id", sa.ForeignKey("pictures.id", ondelete="SET NULL")),
        sa.Column("made_at", sa.DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    members = sa.Table(
        "album_pictures",
        schema,
        sa.Column("album_id", sa.ForeignKey("albums.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column(
            "picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Index("album_pictures_by_picture", "picture_id"),
    )
    history = sa.Table(
        "album_history",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
    )
    schema.create_all(connection, tables=[favourites, albums, members, history], checkfirst=False)
    meta = sa.table("meta", sa.column("key"), sa.column("value"))
    connection.execute(sa.insert(meta).values(key="membership", value="0"))
