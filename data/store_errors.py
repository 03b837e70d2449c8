"""Errors of the store: each says in one line what is wrong with the database and what to do, told by its own codes."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from data.errors import RetroflexError, one_line


class StoreError(RetroflexError):
    """The store could not do it; nothing of the transaction was kept."""


class StoreReadOnly(StoreError):
    """The store is on a disk or in a folder that may not be written."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of the program."""


class StoreLocked(StoreError):
    """Another process kept the store locked for too long."""


class StoreFull(StoreError):
    """The disk under the store is full."""


class StoreUnreachable(StoreError):
    """The database server does not answer, or ended the connection; the next call connects again."""


class UnknownPicture(StoreError):
    """A write names a picture that is not stored, nor in the batch; another process may have removed it."""


class StoreDamaged(StoreError):
    """The database file is no database, or its content is inconsistent."""


_Kind = tuple[type[StoreError], str]

_IN_USE: _Kind = (StoreLocked, "is in use by another program; wait until it has finished and try again")
_DAMAGED: _Kind = (StoreDamaged, "is damaged; restore it from a backup, or move it away and index again")
_DAMAGED_THERE: _Kind = (StoreDamaged, "is damaged on its server; restore it from a backup, see docs/scale-out.md")
_GONE: _Kind = (StoreUnreachable, "cannot be reached; check that its server runs, and try again")
_BUSY_SERVER: _Kind = (StoreLocked, "takes no more connections or work now; wait a moment and try again")

_BY_SQLITE_CODE: dict[int, _Kind] = {
    sqlite3.SQLITE_BUSY: _IN_USE,
    sqlite3.SQLITE_LOCKED: _IN_USE,
    sqlite3.SQLITE_FULL: (StoreFull, "cannot grow because the disk is full; free some space and run it again"),
    sqlite3.SQLITE_NOTADB: (StoreDamaged, "is no library file or is damaged; move it away and index again"),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: (StoreError, "cannot be opened; check that the folder exists and may be written"),
    sqlite3.SQLITE_READONLY: (StoreError, "may not be written; check its permissions"),
}

_BY_SQLSTATE: dict[str, _Kind] = {
    "55P03": _IN_USE,  # lock_not_available
    "40P01": _IN_USE,  # deadlock_detected
    "40001": _IN_USE,  # serialization_failure
    "57014": _IN_USE,  # query_canceled, as by a statement_timeout
    "53100": (StoreFull, "cannot grow because its server's disk is full; free some space there and run it again"),
    "53": _BUSY_SERVER,  # insufficient_resources
    "XX": _DAMAGED_THERE,  # internal_error, data_corrupted, index_corrupted
    "58": _DAMAGED_THERE,  # system_error: io_error, undefined_file
    "08": _GONE,
    "57P": _GONE,  # admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped
    "42501": (StoreError, "may not be read or written by this user; grant it the rights, or give another user"),
    "25006": (StoreReadOnly, "may only be read; to change it, give the address of its main server"),
}
"""By the whole code of PostgreSQL, or by how it begins (Appendix A, PostgreSQL Error Codes)."""


def store_error(name: str, error: SQLAlchemyError) -> StoreError:
    """Return what `error` says of the store called `name`."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    kind = _by_sqlite(cause) or _by_postgresql(error, cause)
    if kind is None:
        return StoreError(f"{name} failed: {one_line(cause)}")
    error_type, problem = kind
    return error_type(f"{name} {problem}")


def _by_sqlite(cause: BaseException | None) -> _Kind | None:
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else _BY_SQLITE_CODE.get(code & 0xFF)


def _by_postgresql(error: SQLAlchemyError, cause: BaseException | None) -> _Kind | None:
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return next((_BY_SQLSTATE[state[:size]] for size in (5, 3, 2) if state[:size] in _BY_SQLSTATE), None)
    if not hasattr(cause, "sqlstate") or not isinstance(error, DBAPIError):
        return None
    if error.connection_invalidated:
        return _GONE
    if type(cause).__name__ == "ConnectionTimeout":
        return _GONE
    if type(cause).__name__ == "OperationalError":  # while connecting, when there are no codes
        return StoreUnreachable, f"cannot be opened: {_reason(cause)}; check its address, and that its server runs"
    return None


def _reason(cause: BaseException | None) -> str:
    """Return what the server or the network said, without the address that comes before it."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    first = lines[0] if lines else one_line(cause)
    return first.rpartition("failed: ")[2].removeprefix("FATAL:").strip().rstrip(".?")
