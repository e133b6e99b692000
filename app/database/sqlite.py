"""Set up SQLite: writers wait their turn, and committed data survives a power cut."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, event

from app.database import sqlite_driver


def prepare(engine: Engine, patience_s: float, foreign_keys: bool) -> None:
    """Set up every connection of this engine, and how its transactions begin."""

    @event.listens_for(engine, "do_connect")
    def choose_driver(dialect: Dialect, record: object, arguments: object, options: dict[str, Any]) -> None:
        options["async_creator_fn"] = sqlite_driver.Connection.open

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        connection.isolation_level = None  # stops Python from beginning transactions of its own
        connection.run_async(set_up)

    async def set_up(connection: Any) -> None:
        await connection.execute(f"PRAGMA busy_timeout = {int(patience_s * 1000)}")
        await _use_wal(connection, patience_s)
        await connection.execute("PRAGMA synchronous = FULL")  # "Saved" on a page survives a power cut
        await connection.execute("PRAGMA secure_delete = ON")  # see app/database/erasing.py
        await connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that has read cannot write once another has written: "database is locked", at any
        # time-out. Taking the write lock first makes it wait its turn instead.
        immediate = connection.get_execution_options().get("read_then_write", False)
        driver: Any = connection.connection.driver_connection
        driver.begins = not immediate
        if immediate:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


async def _use_wal(connection: Any, patience_s: float) -> None:
    """Switch to WAL. Retries, because SQLite answers "locked" at once while another process switches a new file."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            await connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.02)
