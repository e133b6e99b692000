"""Recover digests: restart those whose job is lost or that wait for a mail server that is back, and mail the owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from app import database
from app.digest import trouble, upcoming
from app.digest.models import Digest, State
from app.digest.tasks import start, tell_owner
from app.mail import current_mailer
from jobs import Result

log = logging.getLogger(__name__)

SWEEP_S = 30.0
SOON = timedelta(seconds=5)
ENDED = ("UNKNOWN", "SUCCESS", "FAILURE", "REVOKED")


async def keep_recovering() -> None:
    """Recover digests every 30 s until cancelled. Runs in every worker at once. Logs a fault and continues."""
    fault = ""
    while True:
        try:
            await sweep()
            fault = ""
        except Exception as error:
            if fault != (fault := f"{type(error).__name__}: {error}"):
                log.warning("cannot recover digests, retrying every 30 s: %s", fault)
        await asyncio.sleep(SWEEP_S)


async def sweep() -> None:
    """Restart what SQL says is to be sent, although Redis has lost its job or its worker died."""
    await number_begun()
    async with database.session() as db:
        open_states = Digest.state.in_((State.PLANNED, State.SENDING))
        unfinished = (await db.scalars(select(Digest).where(open_states))).all()
        troubles = await trouble.all_of(db)
    for digest in unfinished:
        if await Result(digest.job_id).state() in ENDED:
            await start(digest.id, digest.begins_at)
    sending = [digest for digest in unfinished if digest.state == State.SENDING]
    await _release([digest for digest in sending if digest.next_try_at > datetime.now(UTC) + SOON])
    for each in troubles:
        if each.digest.told_at is None:
            occasion = int(each.digest.began_at.timestamp())
            await tell_owner.apply_async((each.digest.id,), task_id=f"digest-trouble:{each.digest.id}:{occasion}")


async def number_begun() -> None:
    """Give a number to each digest that a process of the version before numbers has begun."""
    begun = Digest.number.is_(None), Digest.state.in_((State.SENDING, State.DONE))
    query = select(Digest).where(*begun).order_by(Digest.id).with_for_update(skip_locked=True)
    async with database.transaction() as db:
        for digest in (await db.scalars(query)).all():
            await upcoming.give_number(db, digest)


async def _release(waiting: Sequence[Digest]) -> None:
    """If the mail server is back, send the digests that wait for it."""
    if not waiting or await current_mailer().check() is not None:
        return
    now = datetime.now(UTC)
    for digest in waiting:
        async with database.session() as db:
            still = Digest.id == digest.id, Digest.state == State.SENDING
            values = {"next_try_at": now, "unreachable_since": None, "reason": ""}
            await db.execute(update(Digest).where(*still).values(**values))
            await db.commit()
        await Result(digest.job_id).reschedule(now)
