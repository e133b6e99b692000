"""What is erased in the background."""

from __future__ import annotations

from app.privacy import retention
from jobs import task


@task(name="privacy.erase_old", ignore_result=True)
async def erase_old() -> None:
    """Once an hour, by whichever worker is free."""
    await retention.erase_old()
