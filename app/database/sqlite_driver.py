"""A connection to SQLite that visits its thread once for a statement.

aiosqlite visits it to make a cursor, to execute, to fetch and to close. Each visit wakes two threads, which costs a
page as much as the statement itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import partial
from typing import Any

import aiosqlite

CHUNK = 64


class Connection(aiosqlite.Connection):
    """Set `begins` to have the next statement begin a transaction first, in the same visit."""

    begins = False
    _used = False
    """Whether a statement was sent since the last commit or rollback."""

    @classmethod
    def open(cls, *arguments: Any, **options: Any) -> Connection:
        """What aiosqlite.connect() does, of this class. The thread does not keep the process alive."""
        connection = cls(partial(sqlite3.connect, *arguments, **options), CHUNK)
        connection._thread.daemon = True
        return connection

    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    async def commit(self) -> None:
        await super().commit()
        self._used = False

    async def rollback(self) -> None:
        """Nothing if nothing was sent: SQLAlchemy rolls back when a session ends, and again for its pool."""
        if self._used:
            await super().rollback()
            self._used = False

    async def run(self, method: str, sql: str, parameters: Iterable[Any]) -> tuple[sqlite3.Cursor, list[Any]]:
        """Call this method of a cursor. Returns the cursor, closed, and all rows."""
        self._used = True
        answer: tuple[sqlite3.Cursor, list[Any]] = await self._execute(self._visit, method, sql, parameters)  # type: ignore[no-untyped-call]
        return answer

    def _visit(self, method: str, sql: str, parameters: Iterable[Any]) -> tuple[sqlite3.Cursor, list[Any]]:
        cursor = self._conn.cursor()
        try:
            if self.begins:
                self.begins = False
                cursor.execute("BEGIN")
            getattr(cursor, method)(sql, parameters)
            return cursor, cursor.fetchall() if cursor.description else []
        finally:
            cursor.close()


class Cursor(aiosqlite.Cursor):
    """What SQLAlchemy uses of a cursor. The rows are there once the statement has run."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Cursor:
        self._cursor, self._rows = await self._connection.run("execute", sql, parameters or ())
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Cursor:
        self._cursor, self._rows = await self._connection.run("executemany", sql, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        return self._rows

    async def close(self) -> None:
        """The visit has closed it."""
