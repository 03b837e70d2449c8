"""The store: pictures by content hash, their files, captions and features, over any SQLAlchemy database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, select

from data import changes, reads, writes
from data.database import Database, chunks
from data.errors import RetroflexError
from data.migrations import MIGRATIONS, migrate, schema_version
from data.paths import display, to_bytes
from data.records import (
    Batch,
    CaptionRow,
    Changes,
    DescriptionRow,
    FileRow,
    MetadataRow,
    PictureRow,
    SearchedPicture,
    SkipRow,
    Status,
    StoredCaption,
    StoredFile,
    StoredPicture,
)
from data.remote import located
from data.settings import Settings
from data.store_errors import (
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreReadOnly,
    StoreTooNew,
    StoreUnreachable,
)
from data.tables import meta

__all__ = [
    "Batch",
    "CaptionRow",
    "Changes",
    "DescriptionRow",
    "FileRow",
    "MetadataRow",
    "PictureRow",
    "SearchedPicture",
    "SkipRow",
    "Status",
    "Store",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreReadOnly",
    "StoreTooNew",
    "StoreUnreachable",
    "StoredCaption",
    "StoredFile",
    "StoredPicture",
    "open_store",
]


COPYING_KEY = "copying"
"""In `meta` of a store that another one is being copied to, see `data.sharing.copying`."""


class Store:
    """One open store; safe to use from several threads and beside other processes.

    Every call is one transaction. Every call may raise a StoreError (locked, full, damaged) of one line; then
    nothing of that transaction was kept.
    """

    def __init__(self, database: Database) -> None:
        """Use `Store.open`, which also checks the version and migrates."""
        self._database = database

    @classmethod
    def open(cls, url: str, unfinished: bool = False) -> Store:
        """Open the store at an SQLAlchemy URL, making or migrating its tables where needed.

        A copy that was stopped on its way is only opened as `unfinished`. Raises StoreTooNew when a newer program
        wrote it, or another StoreError.
        """
        database = Database(url)
        try:
            _bring_up_to_date(database, unfinished)
        except StoreError:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    @property
    def name(self) -> str:
        """What to call it in messages, without a password."""
        return self._database.name

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written, as on a read-only disk."""
        return self._database.read_only

    @property
    def shared(self) -> bool:
        """Whether several machines may use it at once."""
        return self._database.on_server

    def check_writable(self) -> None:
        """Raise StoreReadOnly where nothing may be written."""
        self._database.check_writable()

    def generation(self) -> int:
        """Return a number that rises with every writing transaction."""
        with self._database.glancing() as connection:
            return reads.generation(connection)

    def stored_files(self, roots: Sequence[Path] | None = None) -> dict[bytes, StoredFile]:
        """Return the files at or below `roots` (all by default); a skipped file has the digest ""."""
        below = None if roots is None else [to_bytes(located(root)) for root in roots]
        with self._database.reading() as connection:
            return reads.stored_files(connection, below)

    def describe_needed(self, digests: Collection[str], model_version: str) -> set[str]:
        """Return the digests that `model_version` has not described yet, unknown ones included."""
        with self._database.reading() as connection:
            return set(digests) - reads.described(connection, digests, model_version)

    def metadata_needed(self, digests: Collection[str]) -> set[str]:
        """Return the digests of stored pictures whose metadata an older version of the program read, or none."""
        with self._database.reading() as connection:
            return reads.outdated_metadata(connection, digests)

    def write_batch(self, batch: Batch) -> None:
        """Write the batch in one transaction.

        A path that had another picture is moved to the new one. A description replaces the picture's model captions
        and vectors; a user's caption stays. Files that are gone are noted as absent, see `data.identity`. Raises
        UnknownPicture when a file or description has a digest that is neither stored nor among the batch's pictures.
        """
        with self._writing() as connection:
            writes.write_batch(connection, batch)

    def prune(self) -> int:
        """Drop the pictures that have neither a file nor a user's caption; return how many."""
        with self._writing() as connection:
            return writes.prune(connection)

    def remove(self, paths: Sequence[bytes]) -> int:
        """Forget the files at or below `paths` and prune; return how many files were forgotten.

        Nothing on disk is touched.
        """
        with self._writing() as connection:
            forgotten = writes.forget_below(connection, paths)
            writes.prune(connection)
            return forgotten

    def set_user_caption(self, picture_id: int, text: str) -> None:
        """Set the user's caption of the picture, replacing an earlier one.

        Raises StoreError for an unknown picture or an empty text.
        """
        caption = " ".join(text.encode(errors="replace").decode().split())  # a terminal may pass stray bytes
        if not caption:
            raise StoreError("a caption needs at least one word")
        with self._writing() as connection:
            writes.set_user_caption(connection, picture_id, caption)

    def remove_user_caption(self, picture_id: int) -> None:
        """Remove the user's caption; the model's captions stay. Raises StoreError for an unknown picture."""
        with self._writing() as connection:
            writes.set_user_caption(connection, picture_id, None)

    def undo_user_caption(self, picture_id: int) -> bool:
        """Undo the last change of the user's caption; return False if there is none."""
        with self._writing() as connection:
            return writes.undo_user_caption(connection, picture_id)

    def can_undo_caption(self, picture_id: int) -> bool:
        """Return whether there is a change that `undo_user_caption` can undo."""
        with self.reading() as connection:
            return reads.can_undo_caption(connection, picture_id)

    def pictures(self, ids: Sequence[int]) -> dict[int, StoredPicture]:
        """Return the pictures by id in the order of `ids`, without unknown ids."""
        with self._database.reading() as connection:
            return reads.stored_pictures(connection, ids)

    def captions(self, ids: Sequence[int]) -> dict[int, list[StoredCaption]]:
        """Return the captions of items by id, as `StoredPicture` has them."""
        with self._database.reading() as connection:
            return {key: own for piece in chunks(ids) for key, own in reads.captions_of(connection, piece).items()}

    def picture_id(self, digest: str) -> int | None:
        """Return the id of the picture with this content hash, None when there is none."""
        with self._database.reading() as connection:
            return reads.picture_id(connection, digest)

    def paths_of(self, digests: Collection[str]) -> dict[str, list[bytes]]:
        """Return the paths of the files of the pictures with these content hashes."""
        with self._database.reading() as connection:
            return reads.paths_of(connection, digests)

    def searched_ids(self) -> tuple[int, np.ndarray]:
        """Return the generation, and the ids, int64 and rising, of all pictures that have a file."""
        with self._database.reading() as connection:
            return changes.searched_ids(connection)

    def searched_items(self) -> tuple[int, np.ndarray]:
        """Return the generation, and the ids of `searched_ids` with those of the frames of films, rising."""
        with self._database.reading() as connection:
            return changes.searched_items(connection)

    def changes(self, since: int) -> Changes | None:
        """Return what changed after the generation `since`, None where the store was never in that state."""
        with self._database.reading() as connection:
            return changes.changes_since(connection, since)

    def main_models(self) -> dict[str, str]:
        """Return for each kind the model version that made most of its vectors; only its vectors are compared."""
        with self._database.reading() as connection:
            return reads.main_models(connection)

    def user_texts(self) -> list[str]:
        """Return the captions that people wrote."""
        with self._database.reading() as connection:
            return reads.user_texts(connection)

    def searched_pictures(self, ids: Collection[int]) -> Iterator[SearchedPicture]:
        """Yield the pictures, by rising `ids`, that have a file, and a caption or a vector.

        Each transaction reads a few, so a walk over a million blocks no writer, and sees what is written
        meanwhile.
        """
        for chunk in chunks(ids):
            with self._database.reading() as connection:
                pictures = reads.searched_pictures(connection, chunk)
            yield from pictures

    def features(self, ids: Sequence[int], kind: str, model_version: str) -> dict[int, bytes]:
        """Return by item id the stored features of one kind by `model_version`, without items that have none."""
        with self._database.reading() as connection:
            return reads.features_of(connection, ids, kind, model_version)

    def status(self) -> Status:
        """Return counts over what a search can find, and the generation."""
        with self._database.reading() as connection:
            return reads.status(connection)

    def skipped_files(self, limit: int | None = None, offset: int = 0) -> list[tuple[bytes, str]]:
        """Return (path, reason) of the skipped files, by path: all, or `limit` from `offset`."""
        with self._database.reading() as connection:
            return reads.skipped_files(connection, limit, offset)

    def rewrite(self) -> None:
        """Write the database file anew, so that nothing that was deleted can be read in it."""
        self._database.rewrite()

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a transaction that only reads, for modules of this package with their own tables."""
        return self._database.reading()

    def writing(self) -> AbstractContextManager[Connection]:
        """Return a transaction that writes and raises the generation, for the same modules."""
        return self._writing()

    def glancing(self) -> AbstractContextManager[Connection]:
        """Return a connection for a single read, see `Database.glancing`."""
        return self._database.glancing()

    def coordinating(self) -> AbstractContextManager[Connection]:
        """Return a transaction that writes what no search sees: it waits for no other writer, nor does one for it."""
        return self._database.writing()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._database.writing() as connection:
            writes.bump_generation(connection)
            yield connection


def open_store(settings: Settings, create: bool = False) -> Store:
    """Open the store that the settings name, or with `create` make it where there is none.

    Raises RetroflexError when there is no library, or a StoreError.
    """
    if not (settings.exists or create):
        raise RetroflexError(
            f"there is no library in {display(settings.library)}: run `retroflex index DIR` to make one"
        )
    return Store.open(settings.url)


def _bring_up_to_date(database: Database, unfinished: bool) -> None:
    with database.reading() as connection:
        version = schema_version(connection)
        copying = version and connection.scalar(select(meta.c.value).where(meta.c.key == COPYING_KEY))
    if copying and not unfinished:
        raise StoreError(f"the copy in {database.name} is not finished; run the same `retroflex copy` again")
    if version > len(MIGRATIONS):
        raise StoreTooNew(
            f"{database.name} is of version {version}, this program reads up to {len(MIGRATIONS)}; update retroflex"
        )
    if version < len(MIGRATIONS):
        if database.read_only:
            raise StoreReadOnly(
                f"{database.name} is of version {version} and has to be brought up to {len(MIGRATIONS)}, but may only "
                "be read; copy its folder to where you may write"
            )
        with database.migrating() as connection:
            migrate(connection)
