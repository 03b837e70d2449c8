"""Facts that pictures are filtered, counted and sorted by, as arrays over the whole library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sqlalchemy import Connection, String, select, type_coerce

from data import reads
from data.albums.membership import Membership, read_membership
from data.catalogue.columns import ColumnCache, Columns
from data.metadata.dates import PARTIAL
from data.soundness import sound
from data.store import Store
from data.tables import captions, files, pictures

T = TypeVar("T")

SAME_FORMAT = {"MPO": "JPEG"}
"""Some cameras append a second picture to a JPEG; to users both are one format."""


@dataclass(frozen=True)
class Facts:
    """n pictures that have a file, by rising id, and their m files, at one generation of the store.

    `ids` (n,) int64; `widths` and `heights` (n,) int32, pixels, upright; `formats` (n,) int16, indices into
    `format_names`; `dates` (n,) datetime64[s], when it was taken by its file or a file's name or, where both do not
    tell, when its oldest file was changed (UTC); `by_user` (n,) bool, whether a person captioned it. `columns` are
    further columns of the table `pictures`, (n,) each; `catalogue` has those of the catalogue, `membership` the
    favourites and albums. `file_rows` (m,) int64 is the row of the picture of each file, `file_folders` (m,) int64 its
    folder, an index into `folders`.
    """

    generation: int
    ids: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    formats: np.ndarray
    format_names: list[str]
    dates: np.ndarray
    by_user: np.ndarray
    columns: dict[str, np.ndarray]
    catalogue: Columns
    membership: Membership
    file_rows: np.ndarray
    file_folders: np.ndarray
    folders: list[bytes]
    _made: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def with_membership(self, membership: Membership) -> Facts:
        """Return these facts with other favourites and albums."""
        return replace(self, membership=membership, _made={})

    def once(self, name: str, make: Callable[[Facts], T]) -> T:
        """Return what `make` makes of these facts; it is made once, and kept under this name."""
        if name not in self._made:
            self._made[name] = make(self)
        made: T = self._made[name]
        return made


def read_facts(store: Store, columns: Sequence[str] = (), cache: ColumnCache | None = None) -> Facts:
    """Read the facts of all pictures that have a file, with these columns of `pictures`. Raise StoreError.

    `cache` keeps columns of the catalogue from one state of the store to the next.
    """
    with store.reading() as connection:
        table = _pictures(connection, columns)
        listed = _files(connection, table["id"])
        ids, file_rows = np.unique(listed.owners, return_inverse=True)
        with_file = np.isin(table["id"], ids)
        formats = [SAME_FORMAT.get(name, name) for name in table["format"][with_file].tolist()]
        names = sorted(set(formats))
        oldest = np.full(len(ids), np.iinfo(np.int64).max)
        np.minimum.at(oldest, file_rows, listed.changed)
        named = np.full(len(ids), np.datetime64("NaT", "s"))
        np.fmin.at(named, file_rows, listed.named)
        taken = _moments(table["taken_at"])[with_file]
        told_in_part = np.isin(ids, _dated_in_part(connection)) & ~np.isnat(named)
        taken = np.where(np.isnat(taken) | told_in_part, named, taken)
        generation = reads.generation(connection)
        return Facts(
            generation,
            ids,
            table["width"].astype(np.int32)[with_file],
            table["height"].astype(np.int32)[with_file],
            np.array([names.index(name) for name in formats], np.int16),
            names,
            np.where(np.isnat(taken), (oldest // 10**9).astype("datetime64[s]"), taken),
            np.isin(ids, _captioned_by_user(connection)),
            {name: table[name][with_file] for name in columns},
            Columns(cache or ColumnCache(store), ids, generation),
            read_membership(connection),
            file_rows,
            listed.folder_of,
            listed.folders,
        )


def folder_of(path: bytes) -> bytes:
    """Return the folder of a file."""
    return path.rpartition(b"/")[0] or b"/"


class _Files(NamedTuple):
    """m files: `owners` (m,) int64 are ids of pictures, `folder_of` (m,) int64 indices into `folders`.

    `changed` (m,) int64 is in nanoseconds, `named` (m,) datetime64[s] the date in the name, NaT without one.
    """

    owners: np.ndarray
    folder_of: np.ndarray
    folders: list[bytes]
    changed: np.ndarray
    named: np.ndarray


def _files(connection: Connection, ids: np.ndarray) -> _Files:
    """Return the files of the pictures `ids`, rising."""
    named_at = type_coerce(files.c.named_at, String)
    rows = connection.execute(
        select(files.c.picture_id, files.c.path, files.c.mtime_ns, named_at).where(sound(files))
    ).all()
    owners, paths, changed, named = zip(*rows, strict=True) if rows else ((), (), (), ())
    kept = np.isin(np.array(owners, np.int64), ids)
    index_of: dict[bytes, int] = {}
    indices = [
        index_of.setdefault(folder_of(path), len(index_of)) for path, own in zip(paths, kept, strict=True) if own
    ]
    return _Files(
        np.array(owners, np.int64)[kept],
        np.array(indices, np.int64),
        list(index_of),
        np.array(changed, np.int64)[kept],
        _moments(named)[kept],
    )


def _pictures(connection: Connection, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the columns that facts are made of, and these, of all sound pictures by rising id."""
    names = list(dict.fromkeys(("id", "width", "height", "format", "taken_at", *columns)))
    wanted = [type_coerce(pictures.c[name], String) if name == "taken_at" else pictures.c[name] for name in names]
    rows = connection.execute(select(*wanted).where(sound(pictures)).order_by(pictures.c.id)).all()
    values = zip(*rows, strict=True) if rows else [()] * len(names)
    return {name: np.array(column) for name, column in zip(names, values, strict=True)}


def _dated_in_part(connection: Connection) -> list[int]:
    """Return the ids of the pictures whose file tells a month or a year only: a date in its name comes first."""
    return list(connection.scalars(select(pictures.c.id).where(pictures.c.taken_from.in_(PARTIAL), sound(pictures))))


def _moments(texts: Sequence[str | None] | np.ndarray) -> np.ndarray:
    """Return datetime64[s] of stored dates, NaT for None; NumPy parses many of them faster than SQLAlchemy."""
    return np.array(texts, "datetime64[us]").astype("datetime64[s]")


def _captioned_by_user(connection: Connection) -> np.ndarray:
    query = select(captions.c.item_id).where(captions.c.source == "user", sound(captions))
    return np.array(connection.scalars(query).all(), np.int64)
