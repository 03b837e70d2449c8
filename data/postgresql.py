"""PostgreSQL set up as a store: integers, texts and their order are those of SQLite. Needs psycopg 3."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DDL, URL, BigInteger, Connection, Engine, Integer, bindparam, create_engine, event, text
from sqlalchemy.ext.compiler import compiles

from data.store_errors import StoreError

POSTGRESQL = "postgresql"
NAMES = ("postgres", POSTGRESQL)
"""How the scheme of an address begins."""
INSTALL = "PostgreSQL needs the package psycopg; install it: pip install 'retroflex[postgres]'"
LOCK_SECONDS = 30.0
"""How long a writer waits for others: those of several hosts take turns, each for less than a second."""
MIGRATION_SECONDS = 600.0
READING: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""Options of a transaction that sees one state throughout; by default each statement sees what others wrote."""
GLANCING: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
"""Options of a single read, which needs no transaction."""
_CONNECTION = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
_MIGRATING = 0x726574726F666C78
"""The advisory lock of who makes or changes tables: "retroflx" in ASCII."""
_OTHER_COLLATIONS = text(
    "SELECT c.relname, a.attname FROM pg_attribute a"
    " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation k ON k.oid = a.attcollation"
    " WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0"
    " AND NOT a.attisdropped AND k.collname <> 'C' ORDER BY 1, 2"
)


class _Wide(BigInteger):
    """An integer of 64 bits, as every one of SQLite is: ids of any size can be asked for, and are not used up."""

    render_bind_cast = True


@compiles(Integer, POSTGRESQL)
def _wide(_type: Integer, _compiler: Any, **_options: Any) -> str:
    return "BIGINT"


def create_postgresql(url: URL) -> Engine:
    """Return an engine for the address of a database. Raises StoreError where psycopg is missing."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise StoreError(INSTALL) from error
    address = url.set(drivername=f"{POSTGRESQL}+psycopg", query=_CONNECTION | dict(url.query))
    engine = create_engine(address, pool_pre_ping=True, use_native_hstore=False)
    engine.dialect.colspecs = {**engine.dialect.colspecs, Integer: _Wide}
    event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    """Replace NUL in texts, which PostgreSQL cannot store, by U+FFFD, and limit how long to wait for a lock."""
    from psycopg.types.string import StrDumperUnknown

    class Dumper(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return obj.replace("\0", "\ufffd").encode()

    connection.adapters.register_dumper(str, Dumper)
    connection.autocommit = True
    connection.execute(f"SET lock_timeout = {round(LOCK_SECONDS * 1000)}")
    connection.autocommit = False


def lock_migrations(connection: Connection) -> None:
    """Keep other processes from making or changing tables until this transaction ends."""
    connection.execute(DDL(f"SET LOCAL lock_timeout = {round(MIGRATION_SECONDS * 1000)}"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)").bindparams(bindparam("key", _MIGRATING, BigInteger)))


def unify_texts(connection: Connection) -> None:
    """Make every column of texts one of any length that is ordered and compared by code, as SQLite does."""
    quote = connection.dialect.identifier_preparer.quote
    for table, column in connection.execute(_OTHER_COLLATIONS).all():
        name = f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)}"
        connection.execute(DDL(f'{name} TYPE TEXT COLLATE "C"'))
