"""The tables of the store, as they stand after all migrations."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

pictures = Table(
    "pictures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", String(16), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("taken_at", DateTime),
    Column("added_at", DateTime, nullable=False),
    sqlite_autoincrement=True,  # an id is never given to another picture, so old links do not mislead
)

files = Table(
    "files",
    metadata,
    Column("path", LargeBinary, primary_key=True),
    Column("picture_id", ForeignKey("pictures.id"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Index("files_by_picture", "picture_id"),
)

skipped = Table(
    "skipped",
    metadata,
    Column("path", LargeBinary, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

captions = Table(
    "captions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
    Column("source", String(8), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("logprob", Float),
    Column("model_version", String(128)),
    CheckConstraint("source IN ('model', 'user')", name="captions_source"),
    UniqueConstraint("picture_id", "source", "rank", name="captions_in_order"),
)

features = Table(
    "features",
    metadata,
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True),
    Column("model_version", String(128), nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("embedding", LargeBinary),
)

changes = Table(
    "changes",
    metadata,
    Column("picture_id", Integer, primary_key=True, autoincrement=False),  # which may be gone, so no foreign key
    Column("generation", BigInteger, nullable=False),
    Index("changes_by_generation", "generation"),
)

generations = Table("generations", metadata, Column("generation", BigInteger, primary_key=True, autoincrement=False))

caption_history = Table(
    "caption_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
    Column("text", Text),  # NULL: there was no caption by a person
    Index("caption_history_by_picture", "picture_id"),
)

roots = Table(
    "roots",
    metadata,
    Column("path", LargeBinary, primary_key=True),
    Column("exclude", Text, nullable=False),  # patterns, as a JSON list
    Column("indexed_at", DateTime),
)

choices = Table(
    "choices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("group_key", String(64), nullable=False),
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
    Column("path", LargeBinary, nullable=False),  # of the file among exact copies, empty among near ones
    Column("keep", Boolean, nullable=False),
    UniqueConstraint("picture_id", "path", name="choices_of_a_copy"),
)
