"""A store in PostgreSQL for tests, which is emptied for each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import make_url

from bench.deployment.postgresql import Server


class EmptyStore:
    """The database of a store without pictures, which is emptied again and again."""

    def __init__(self, server: Server) -> None:
        from data.store import Store

        self._server = server
        self.address = server.database()
        Store.open(self.address).close()
        self._name = make_url(self.address).database or ""
        self._kept = [
            f"INSERT INTO meta VALUES ('{key}', '{value}')" for key, value in self._rows("key, value", "meta")
        ]
        self._kept += [f"INSERT INTO generations VALUES ({one})" for (one,) in self._rows("generation", "generations")]

    def empty(self) -> None:
        """Delete all rows but those of a new store, and end what an earlier test left open."""
        from data.tables import metadata

        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = '{}'"
        rows = [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
        restart = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
        statements = (end.format(self._name), "BEGIN", *rows, *self._kept, restart, "COMMIT")
        self._server.execute(*statements, database=self._name)

    def _rows(self, columns: str, table: str) -> list[tuple[Any, ...]]:
        return self._server.execute(f"SELECT {columns} FROM {table}", database=self._name)
