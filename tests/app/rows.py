"""The rows of the site's database: read, changed, and kept from others for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quart import Quart
from sqlalchemy import select, text, update

from app.database import Database, Model
from app.reminders.models import Reminder


async def stored(app: Quart) -> list[Reminder]:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        return list(await db.scalars(select(Reminder).order_by(Reminder.id)))


async def change(app: Quart, **values: object) -> None:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        await db.execute(update(Reminder).values(**values))
        await db.commit()


async def everything_stored(app: Quart) -> list[object]:
    async with app.extensions["database"].session() as db:
        return [
            (table.name, [tuple(row) for row in await db.execute(select(table))])
            for table in Model.metadata.sorted_tables
        ]


@asynccontextmanager
async def writing_alone(database: Database, table: str = "reminder") -> AsyncIterator[None]:
    """Until the block ends, whoever else wants to change a row of this table has to wait."""
    async with database.writer.connect() as other:
        on_sqlite = database.engine.dialect.name == "sqlite"
        await other.execute(text("SELECT 1" if on_sqlite else f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
        yield
        await other.rollback()
