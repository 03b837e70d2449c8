"""Facts that pictures are filtered, counted and sorted by, as arrays over the whole library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, String, select, type_coerce

from data import reads
from data.catalogue.columns import ColumnCache, Columns
from data.soundness import sound
from data.store import Store
from data.tables import captions, files, pictures

SAME_FORMAT = {"MPO": "JPEG"}
"""Some cameras append a second picture to a JPEG; to users both are one format."""


@dataclass(frozen=True)
class Facts:
    """n pictures that have a file, by rising id, and their m files, at one generation of the store.

    `ids` (n,) int64; `widths` and `heights` (n,) int32, pixels, upright; `formats` (n,) int16, indices into
    `format_names`; `dates` (n,) datetime64[s], when it was taken by its file or a file's name or, where both do not
    tell, when its oldest file was changed (UTC); `by_user` (n,) bool, whether a person captioned it. `columns` are
    further columns of the table `pictures`, (n,) each; `catalogue` has those of the catalogue. `file_rows` (m,) int64
    is the row of the picture of each file, `file_folders` (m,) int64 its folder, an index into `folders`.
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
    file_rows: np.ndarray
    file_folders: np.ndarray
    folders: list[bytes]


def read_facts(store: Store, columns: Sequence[str] = (), cache: ColumnCache | None = None) -> Facts:
    """Read the facts of all pictures that have a file, with these columns of `pictures`. Raise StoreError.

    `cache` keeps columns of the catalogue from one state of the store to the next.
    """
    with store.reading() as connection:
        owners, folder_of, folders, changed = _files(connection)
        ids, file_rows = np.unique(owners, return_inverse=True)
        widths, heights, formats, taken = _pictures(connection, ids)
        extra = _columns(connection, ids, columns)
        names = sorted(set(formats))
        taken = np.where(np.isnat(taken), _named(connection, ids), taken)
        oldest = np.full(len(ids), np.iinfo(np.int64).max)
        np.minimum.at(oldest, file_rows, changed)
        generation = reads.generation(connection)
        return Facts(
            generation,
            ids,
            widths,
            heights,
            np.array([names.index(name) for name in formats], np.int16),
            names,
            np.where(np.isnat(taken), (oldest // 10**9).astype("datetime64[s]"), taken),
            np.isin(ids, _captioned_by_user(connection)),
            extra,
            Columns(cache or ColumnCache(store), ids, generation),
            file_rows,
            folder_of,
            folders,
        )


def folder_of(path: bytes) -> bytes:
    """Return the folder of a file."""
    return path.rpartition(b"/")[0] or b"/"


def _files(connection: Connection) -> tuple[np.ndarray, np.ndarray, list[bytes], np.ndarray]:
    """Return each file's picture id and folder index, the folders, and each file's time of change."""
    query = select(files.c.picture_id, files.c.path, files.c.mtime_ns).join(pictures)
    rows = connection.execute(query.where(sound(files), sound(pictures))).all()
    owners, paths, changed = zip(*rows, strict=True) if rows else ((), (), ())
    index_of: dict[bytes, int] = {}
    indices = [index_of.setdefault(folder_of(path), len(index_of)) for path in paths]
    return np.array(owners, np.int64), np.array(indices, np.int64), list(index_of), np.array(changed, np.int64)


def _pictures(connection: Connection, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Return width, height, format and date taken (datetime64[s], NaT where unknown) of the pictures `ids`, rising."""
    taken_at = type_coerce(pictures.c.taken_at, String)  # NumPy parses many dates faster than SQLAlchemy
    query = select(pictures.c.id, pictures.c.width, pictures.c.height, pictures.c.format, taken_at)
    rows = connection.execute(query.where(sound(pictures)).order_by(pictures.c.id)).all()
    stored, widths, heights, formats, taken = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    with_file = np.isin(np.array(stored, np.int64), ids)
    format_names = [SAME_FORMAT.get(name, name) for name, kept in zip(formats, with_file, strict=True) if kept]
    dates = np.array(taken, "datetime64[us]").astype("datetime64[s]")
    return np.array(widths, np.int32)[with_file], np.array(heights, np.int32)[with_file], format_names, dates[with_file]


def _named(connection: Connection, ids: np.ndarray) -> np.ndarray:
    """Return the earliest date in the names of the files of the pictures `ids`, rising; NaT where there is none."""
    named_at = type_coerce(files.c.named_at, String)
    query = select(files.c.picture_id, named_at).join(pictures).where(files.c.named_at.is_not(None))
    rows = connection.execute(query.where(sound(files), sound(pictures))).all()
    owners, moments = zip(*rows, strict=True) if rows else ((), ())
    named = np.full(len(ids), np.datetime64("NaT", "s"))
    dates = np.array(moments, "datetime64[us]").astype("datetime64[s]")
    np.fmin.at(named, np.searchsorted(ids, np.array(owners, np.int64)), dates)
    return named


def _columns(connection: Connection, ids: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return these columns, which are never NULL, of the pictures `ids`, rising."""
    if not (names and len(ids)):
        return {name: np.zeros(0) for name in names}
    query = select(pictures.c.id, *(pictures.c[name] for name in names))
    query = query.where(sound(pictures)).order_by(pictures.c.id)
    stored, *columns = (np.array(column) for column in zip(*connection.execute(query).all(), strict=True))
    with_file = np.isin(stored, ids)
    return {name: column[with_file] for name, column in zip(names, columns, strict=True)}


def _captioned_by_user(connection: Connection) -> np.ndarray:
    query = select(captions.c.item_id).where(captions.c.source == "user", sound(captions))
    return np.array(connection.scalars(query).all(), np.int64)
