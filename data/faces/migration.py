"""The migration that adds faces and people; a released migration is never edited."""

from __future__ import annotations

import sqlalchemy as sa


def add_faces(connection: sa.Connection) -> None:
    """Add people, the faces that items of the kind face are, which pictures were searched for them, and an undo log."""
    schema = sa.MetaData()
    sa.Table("items", schema, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("pictures", schema, sa.Column("id", sa.Integer, primary_key=True))
    people = sa.Table(
        "people",
        schema,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(128)),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    faces = sa.Table(
        "faces",
        schema,
        sa.Column("item_id", sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("person_id", sa.ForeignKey("people.id", ondelete="SET NULL")),
        sa.Column("decided", sa.Boolean, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Index("faces_by_person", "person_id"),
    )
    scans = sa.Table(
        "face_scans",
        schema,
        sa.Column(
            "picture_id", sa.ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("model_version", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    history = sa.Table(
        "people_history",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
    )
    schema.create_all(connection, tables=[people, faces, scans, history], checkfirst=False)
