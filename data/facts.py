"""The facts by which pictures are filtered, counted and put in order, as arrays over the whole library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, String, select, type_coerce

from data import reads
from data.store import Store
from data.tables import captions, files, pictures

SAME_FORMAT = {"MPO": "JPEG"}
"""Some cameras put a second picture behind a JPEG; nobody knows that as another format."""


@dataclass(frozen=True)
class Facts:
    """n pictures that have a file, by rising id, and their m files, at one generation of the store.

    `ids` (n,) int64; `widths` and `heights` (n,) int32, pixels, upright; `formats` (n,) int16, places in
    `format_names`; `dates` (n,) datetime64[s], when it was taken or, where that is unknown, the oldest file's time
    of change (UTC); `by_user` (n,) bool, whether a person captioned it. `file_rows` (m,) int64 says whose file it
    is, `file_folders` (m,) int64 where it lies, as a place in `folders`.
    """

    generation: int
    ids: np.ndarray
    widths: np.ndarray
    heights: np.ndarray
    formats: np.ndarray
    format_names: list[str]
    dates: np.ndarray
    by_user: np.ndarray
    file_rows: np.ndarray
    file_folders: np.ndarray
    folders: list[bytes]


def read_facts(store: Store) -> Facts:
    """Read the facts of all pictures that have a file. Raises StoreError."""
    with store.reading() as connection:
        owners, folder_of, folders, changed = _files(connection)
        ids, file_rows = np.unique(owners, return_inverse=True)
        widths, heights, formats, taken = _pictures(connection, ids)
        names = sorted(set(formats))
        oldest = np.full(len(ids), np.iinfo(np.int64).max)
        np.minimum.at(oldest, file_rows, changed)
        return Facts(
            reads.generation(connection),
            ids,
            widths,
            heights,
            np.array([names.index(one) for one in formats], np.int16),
            names,
            np.where(np.isnat(taken), (oldest // 10**9).astype("datetime64[s]"), taken),
            np.isin(ids, _captioned_by_user(connection)),
            file_rows,
            folder_of,
            folders,
        )


def folder_of(path: bytes) -> bytes:
    """Return the folder in which a file lies."""
    return path.rpartition(b"/")[0] or b"/"


def _files(connection: Connection) -> tuple[np.ndarray, np.ndarray, list[bytes], np.ndarray]:
    """Return of each file its picture's id, its folder's place in the folders, the folders, and its time of change."""
    rows = connection.execute(select(files.c.picture_id, files.c.path, files.c.mtime_ns)).all()
    owners, paths, changed = zip(*rows, strict=True) if rows else ((), (), ())
    places: dict[bytes, int] = {}
    lying = [places.setdefault(folder_of(path), len(places)) for path in paths]
    return np.array(owners, np.int64), np.array(lying, np.int64), list(places), np.array(changed, np.int64)


def _pictures(connection: Connection, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Return width, height, format and date taken (datetime64[s], NaT where unknown) of the pictures `ids`, rising."""
    taken_at = type_coerce(pictures.c.taken_at, String)  # NumPy reads many dates faster than SQLAlchemy
    query = select(pictures.c.id, pictures.c.width, pictures.c.height, pictures.c.format, taken_at)
    rows = connection.execute(query.order_by(pictures.c.id)).all()
    known, widths, heights, formats, taken = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    with_file = np.isin(np.array(known, np.int64), ids)
    named = [SAME_FORMAT.get(one, one) for one, there in zip(formats, with_file, strict=True) if there]
    dates = np.array(taken, "datetime64[us]").astype("datetime64[s]")
    return np.array(widths, np.int32)[with_file], np.array(heights, np.int32)[with_file], named, dates[with_file]


def _captioned_by_user(connection: Connection) -> np.ndarray:
    return np.array(connection.scalars(select(captions.c.item_id).where(captions.c.source == "user")).all(), np.int64)
