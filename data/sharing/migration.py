"""The migration that adds what machines share; a released migration is never edited."""

from __future__ import annotations

import sqlalchemy as sa


def add_sharing(connection: sa.Connection) -> None:
    """Add who describes what, sessions that were ended, and limits of requests; they stay empty in SQLite."""
    schema = sa.MetaData()
    sa.Table(
        "indexers",
        schema,
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("expires_at", sa.DateTime, nullable=False),
    )
    sa.Table(
        "claims",
        schema,
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("indexer_id", sa.ForeignKey("indexers.id", ondelete="CASCADE"), nullable=False),
        sa.Index("claims_by_indexer", "indexer_id"),
    )
    sa.Table(
        "ended_sessions",
        schema,
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("ended_at", sa.DateTime, nullable=False),
    )
    sa.Table(
        "rate_buckets",
        schema,
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("full_at", sa.Float, nullable=False),
    )
    schema.create_all(connection, checkfirst=False)
