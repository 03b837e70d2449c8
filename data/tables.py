"""The tables of the store after all migrations."""

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

items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),  # picture, film, frame or face
    Column("parent_id", ForeignKey("items.id", ondelete="CASCADE")),  # NULL for a whole picture
    # The box of a face, in shares of width and height, and the time of a frame, in seconds.
    Column("box_left", Float),
    Column("box_top", Float),
    Column("box_width", Float),
    Column("box_height", Float),
    Column("seconds", Float),
    Index("items_by_parent", "parent_id"),
    sqlite_autoincrement=True,  # ids are never reused, so old links cannot lead to another item
)

pictures = Table(
    "pictures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # that of its item
    Column("digest", String(64), nullable=False, unique=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", String(16), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("taken_at", DateTime),  # by what the file says of itself
    Column("added_at", DateTime, nullable=False),
    Column("pixels", String(32)),  # see `data.pictures.pixel_hash`; NULL where it was not decoded yet
    Column("taken_from", String(16)),  # which part of it says so
    Column("metadata_version", Integer),  # of the program part that read both, and picture_texts
    Column("colours", Integer, nullable=False, server_default="0"),  # see `data.colour.names`; 0: not looked at yet
    # Where it was taken, in degrees, by what the file says; never shown, only the name of the town is.
    Column("latitude", Float),
    Column("longitude", Float),
    Column("gazetteer", String(64)),  # which one named the place, see `data.metadata.writes`; NULL: none has yet
    Index("pictures_by_pixels", "pixels"),
)

picture_texts = Table(
    "picture_texts",
    metadata,
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    Column("field", String(16), nullable=False),  # title, description, keyword, person or place
    Column("text", Text, nullable=False),
)

picture_notes = Table(
    "picture_notes",
    metadata,
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("about", String(16), primary_key=True),  # file or sidecar
    Column("rank", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("path", LargeBinary, primary_key=True),
    Column("picture_id", ForeignKey("pictures.id"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("named_at", DateTime),  # the date in its name
    Column("sidecars", String(32)),  # see `data.metadata.sidecars.signature`; NULL for none
    Index("files_by_picture", "picture_id"),
)

absent_files = Table(
    "absent_files",
    metadata,
    Column("path", LargeBinary, primary_key=True),
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("since", DateTime, nullable=False),  # UTC
    Index("absent_files_by_picture", "picture_id"),
)

successions = Table(
    "successions",
    metadata,
    Column("path", LargeBinary, primary_key=True),  # of the successor's file
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("successor_id", ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
    Column("sure", Boolean, nullable=False),  # the path was never seen without a file in between
    Index("successions_by_picture", "picture_id"),
    Index("successions_by_successor", "successor_id"),
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
    Column("item_id", ForeignKey("items.id", ondelete="CASCADE"), nullable=False),
    Column("source", String(8), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("logprob", Float),
    Column("model_version", String(128)),
    CheckConstraint("source IN ('model', 'user')", name="caption_source"),
    UniqueConstraint("item_id", "source", "rank", name="captions_by_item"),
)

features = Table(
    "features",
    metadata,
    Column("item_id", ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("kind", String(32), primary_key=True),
    Column("model_version", String(128), nullable=False),
    Column("dimensions", Integer),  # of a float16 vector; NULL for a value that is no vector
    Column("value", LargeBinary, nullable=False),
    Index("features_by_model", "model_version", "kind", "item_id"),
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

catalogue_fields = Table(
    "catalogue_fields",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("type", String(16), nullable=False),  # a key of `data.catalogue.values.TYPES`
    Column("label", String(128), nullable=False),
    Column("position", Integer, nullable=False),
    Column("is_key", Boolean, nullable=False),  # rows are matched to pictures by it
    sqlite_autoincrement=True,  # ids are never reused, so no column in memory can be taken for another
)

catalogue_values = Table(
    "catalogue_values",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("field_id", ForeignKey("catalogue_fields.id", ondelete="CASCADE"), nullable=False),
    Column("key", String(32), nullable=False),  # see `data.catalogue.values.key_of`
    Column("text", Text, nullable=False),
    Column("number", Float),  # of a number, date or yes/no
    Index("catalogue_values_by_key", "field_id", "key"),
)

facts = Table(
    "facts",
    metadata,
    Column("field_id", ForeignKey("catalogue_fields.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("item_id", ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("source", String(16), primary_key=True),  # one of `data.catalogue.values.SOURCES`
    # Of catalogue_values; NULL where a person left it empty. No foreign key, which would need an index of this size.
    Column("value_id", Integer),
    Column("confidence", Float),  # from 0 to 1, of what a model predicted
    Index("facts_by_item", "item_id"),
)

films = Table(
    "films",
    metadata,
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("duration", Float, nullable=False),  # seconds
    Column("sampling", String(32), nullable=False),  # how its frames were chosen, see `data.films.sampling`
)

motions = Table(
    "motions",
    metadata,
    Column("path", LargeBinary, primary_key=True),  # of the short film beside a Live Photo, which is no film of its own
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Index("motions_by_picture", "picture_id"),
)

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(128)),  # NULL: a group of faces that nobody has named
    Column("hidden", Boolean, nullable=False),
    sqlite_autoincrement=True,  # ids are never reused, so an undone or old link cannot lead to another person
)

faces = Table(
    "faces",
    metadata,
    Column("item_id", ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("person_id", ForeignKey("people.id", ondelete="SET NULL")),  # NULL: alone in its group
    Column("decided", Boolean, nullable=False),  # a person said whose it is; grouping leaves it where it is
    Column("confidence", Float, nullable=False),  # of the detector, from 0 to 1
    Index("faces_by_person", "person_id"),
)

face_scans = Table(
    "face_scans",
    metadata,
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("model_version", String(128), nullable=False),  # which looked for faces, and may have found none
    Column("digest", String(64), nullable=False),  # of the content that it looked at
)

people_history = Table(
    "people_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("what", Text, nullable=False),
    Column("before", Text, nullable=False),  # rows as they were, in JSON, see `data.faces.history`
)

favourites = Table(
    "favourites",
    metadata,
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("since", DateTime, nullable=False),  # UTC
)

albums = Table(
    "albums",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(128), nullable=False),
    Column("query", Text),  # a saved search as a query string; NULL for pictures that were picked
    Column("cover_id", ForeignKey("pictures.id", ondelete="SET NULL")),  # NULL: the first picture
    Column("made_at", DateTime, nullable=False),  # UTC
    sqlite_autoincrement=True,  # ids are never reused, so an undone or old link cannot lead to another album
)

album_pictures = Table(
    "album_pictures",
    metadata,
    Column("album_id", ForeignKey("albums.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    Index("album_pictures_by_picture", "picture_id"),
)

album_history = Table(
    "album_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("what", Text, nullable=False),
    Column("before", Text, nullable=False),  # an album as it was, in JSON, see `data.albums.history`
)

indexers = Table(
    "indexers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("expires_at", DateTime, nullable=False),  # UTC by the database's clock; renewed while it lives
)

claims = Table(
    "claims",
    metadata,
    Column("digest", String(64), primary_key=True),  # of a content that an indexer describes now
    Column("indexer_id", ForeignKey("indexers.id", ondelete="CASCADE"), nullable=False),
    Index("claims_by_indexer", "indexer_id"),
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("ended_at", DateTime, nullable=False),  # UTC
)

rate_buckets = Table(
    "rate_buckets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("full_at", Float, nullable=False),  # seconds since 1970
)
