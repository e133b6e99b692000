"""The background task that erases old data."""

from __future__ import annotations

from app.privacy import retention
from jobs import task


@task(name="privacy.erase_old", ignore_result=True)
async def erase_old() -> None:
    """Erase old data. Runs once an hour."""
    await retention.erase_old()
