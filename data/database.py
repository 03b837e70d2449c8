"""The connection to the database: SQLite set up for several processes, and errors as one readable line."""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, ColumnElement, Connection, Engine, Table, create_engine, event, func, make_url, or_, select
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from data.errors import one_line
from data.paths import display
from data.postgresql import GLANCING, NAMES, POSTGRESQL, READING, create_postgresql, lock_migrations
from data.soundness import IS_TEXT, is_text
from data.store_errors import StoreDamaged, StoreError, StoreReadOnly, UnknownPicture, store_error
from data.tables import pictures
from data.temporary import temporary_folder

T = TypeVar("T")

MEND = "run `retroflex check` to mend it"
_CHUNK = 200
"""Values in one statement: old builds of SQLite allow 999 bound values or terms."""
BUSY_SECONDS = 5.0
_WRITES = "retroflex_writes"
EXAMPLES = "sqlite:////folder/file or postgresql+psycopg://user@host/database"


class Database:
    """An engine whose transactions raise StoreError with one line that names the store."""

    def __init__(self, url: str) -> None:
        """Prepare the engine for `url` and make the folder of an SQLite file. Nothing is opened yet.

        An SQLite file that may not be written is only read: nothing is locked or written beside it.
        """
        self._engine, self.name, self.read_only = _create(url)
        self.on_server = self._engine.dialect.name == POSTGRESQL
        self._reader = self._engine.execution_options(**READING) if self.on_server else self._engine
        self._glancer = self._engine.execution_options(**GLANCING) if self.on_server else self._engine
        self._writer = self._engine.execution_options(**{_WRITES: True})

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the store throughout."""
        try:
            with self._plain_errors(), self._reader.begin() as connection:
                yield connection
        except (ValueError, TypeError, OverflowError) as error:  # of a value that no type allows
            raise StoreDamaged(f"a value in {self.name} is damaged ({one_line(error)}); {MEND}") from error

    @contextmanager
    def glancing(self) -> Iterator[Connection]:
        """Yield a connection for a single read, which sees one state by itself; a server is asked half as often."""
        with self._plain_errors(), self._glancer.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield the only writing connection. All changes are kept on leaving, none on an error.

        Raises StoreReadOnly.
        """
        self.check_writable()
        with self._plain_errors(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Yield a writing connection while no other process makes or changes tables. Raises StoreReadOnly."""
        with self.writing() as connection:
            if self.on_server:
                lock_migrations(connection)
            yield connection

    def check_writable(self) -> None:
        """Raise StoreReadOnly where nothing can be written."""
        if self.read_only:
            raise StoreReadOnly(f"{self.name} may only be read; to change it, copy its folder to where you may write")

    def rewrite(self) -> None:
        """Write an SQLite file anew, and empty its log: nothing that was deleted can be read in them any more.

        Other databases do that by their own rules.
        """
        if self._engine.dialect.name == "sqlite":
            self.check_writable()
            try:
                with closing(self._engine.raw_connection()) as plain:  # in no transaction, see `_leave_transactions`
                    for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                        plain.cursor().execute(statement)
            except sqlite3.Error as error:
                raise store_error(self.name, DBAPIError("VACUUM", None, error)) from error

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise store_error(self.name, error) from error


def can_write(file: Path) -> bool:
    """Return whether an SQLite file and those beside it may be written."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)


def _create(url: str) -> tuple[Engine, str, bool]:
    """Return the engine, the store's name, and whether it is only read."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # whose text may hold a password
        raise StoreError(f"the database address is malformed; give one like {EXAMPLES}") from error
    if parsed.get_backend_name() == "sqlite":
        file = Path(parsed.database or "")
        if file.is_file() and not can_write(file):
            return _create_read_only(file), _name(parsed), True
        return _create_sqlite(parsed), _name(parsed), False
    if parsed.get_backend_name() in NAMES:
        return create_postgresql(parsed), _name(parsed), False
    raise StoreError(f"{_name(parsed)} is neither SQLite nor PostgreSQL; give one like {EXAMPLES}")


def _create_sqlite(url: URL) -> Engine:
    _make_folder(Path(url.database or ""))
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_read_only(file: Path) -> Engine:
    """Return an engine for a file that nobody changes: no locks, and no log beside it.

    A log (WAL) that a killed process left has changes that only SQLite can merge, so a copy is read then.
    """
    log = file.with_name(f"{file.name}-wal")
    if log.is_file() and log.stat().st_size:
        copied = ExitStack()
        folder = copied.enter_context(temporary_folder())
        atexit.register(copied.close)
        for source in (file, log):
            shutil.copy(source, folder)
        engine = _create_sqlite(URL.create("sqlite", database=str(folder / file.name)))
    else:
        address = f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1"
        connect = partial(sqlite3.connect, address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
        engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
        event.listen(engine, "connect", _leave_transactions)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _name(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"the library {display(Path(url.database or ''))}"
    return f"the library at {url.render_as_string(hide_password=True)}"


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {display(file.parent)}: {error.strerror or error}") from error


def _leave_transactions(connection: Any, _record: object) -> None:
    connection.create_function(IS_TEXT, 1, is_text, deterministic=True)
    connection.isolation_level = None  # sqlite3 would begin transactions by itself, and only at the first write


def _prepare_sqlite(connection: Any, record: object) -> None:
    _leave_transactions(connection, record)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    """Lock for writing at once: a transaction that begins by reading cannot wait for another writer."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def check_picture(connection: Connection, picture_id: int) -> None:
    """Raise UnknownPicture if no picture has this id, for example as another process has removed it."""
    if connection.scalar(select(func.count()).where(pictures.c.id == picture_id)) == 0:
        raise UnknownPicture(f"no picture has the id {picture_id}")


def chunks(values: Collection[T]) -> Iterator[list[T]]:
    """Yield the values in order, in lists that are short enough for one statement."""
    remaining = iter(values)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


def at_or_below(table: Table, path: bytes) -> ColumnElement[bool]:
    """Return the condition that `table.path` is `path` or below it; such paths sort between "folder/" and "folder0"."""
    folder = path.rstrip(b"/")
    column = table.c.path
    return or_(column == folder, (column >= folder + b"/") & (column < folder + b"0"))
