"""The migration that adds the catalogue; a released migration is never edited."""

from __future__ import annotations

import sqlalchemy as sa


def add_catalogue(connection: sa.Connection) -> None:
    """Add the catalogue: its fields, their values, and which item has which value by which source."""
    schema = sa.MetaData()
    sa.Table("items", schema, sa.Column("id", sa.Integer, primary_key=True))
    fields = sa.Table(
        "catalogue_fields",
        schema,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("label", sa.String(128), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("is_key", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    values = sa.Table(
        "catalogue_values",
        schema,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("field_id", sa.ForeignKey("catalogue_fields.id", ondelete="CASCADE"), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("number", sa.Float),
        sa.Index("catalogue_values_by_key", "field_id", "key"),
    )
    of_field = sa.ForeignKey("catalogue_fields.id", ondelete="CASCADE")
    of_item = sa.ForeignKey("items.id", ondelete="CASCADE")
    facts = sa.Table(
        "facts",
        schema,
        sa.Column("field_id", of_field, primary_key=True, autoincrement=False),
        sa.Column("item_id", of_item, primary_key=True, autoincrement=False),
        sa.Column("source", sa.String(16), primary_key=True),
        sa.Column("value_id", sa.Integer),
        sa.Column("confidence", sa.Float),
        sa.Index("facts_by_item", "item_id"),
    )
    schema.create_all(connection, tables=[fields, values, facts], checkfirst=False)
