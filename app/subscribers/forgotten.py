"""Addresses that were deleted, or imported and never confirmed: an import asks none of them again.

Only a keyed hash is kept. Their owners may still subscribe by the form. Another SECRET_KEY makes them unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app import tokens
from app.context import site
from app.subscribers.models import Forgotten

NOT_AGAIN = "not import again"


async def remember(db: AsyncSession, emails: Iterable[str]) -> None:
    rows = [{"hashed": _hashed(email)} for email in emails]
    if rows:
        on_postgres = db.get_bind().dialect.name == "postgresql"
        insert = postgresql.insert(Forgotten) if on_postgres else sqlite.insert(Forgotten)
        await db.execute(insert.on_conflict_do_nothing(), rows)


async def without(db: AsyncSession, emails: Sequence[str]) -> list[str]:
    """Those of these addresses that are not forgotten."""
    hashes = {email: _hashed(email) for email in emails}
    found = set(await db.scalars(select(Forgotten.hashed).where(Forgotten.hashed.in_(hashes.values()))))
    return [email for email in emails if hashes[email] not in found]


def _hashed(email: str) -> str:
    return tokens.derive(site().secret_key, NOT_AGAIN, email)
