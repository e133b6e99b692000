"""Fires the schedules that Redis has, whatever queues this worker serves: see due.lua and fire.lua. A worker imports it
when one is due."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from arq.utils import to_unix_ms

from ..client.connection import JobsRedis
from ..client.result import revoked_fields
from ..store import keys
from ..store.stored_values import moment_of, text, whole
from .stored_moments import due_and_next, read

logger = logging.getLogger("arq.worker.jobs")

WAITS_MS = 1000  # One that waits for its last run is looked at again after this long, or longer.
UNREADABLE = timedelta(hours=1)


Row: TypeAlias = list[bytes]  # See due.lua.


async def fire(redis: JobsRedis, rows: list[Row], now: datetime) -> list[int]:
    """Fire these; when to look at each again."""
    words, agains = list[Any](), list[int]()
    for name, version, when, last, jitter, overlap, last_id in rows:
        moment, again = _planned(text(name), text(when), whole(jitter), whole(last), now)
        words += name, version, last, "" if moment is None else to_unix_ms(moment), to_unix_ms(again)
        words += (last_id, revoked_fields(text(last_id))) if overlap == b"cancel" and last_id else ("", "")
        agains.append(to_unix_ms(again))
    how = "stored", keys.RESULT_EXPIRES_MS, keys.HISTORY_LENGTH
    for n, answer in enumerate(map(text, await redis.run_script("fire", *how, *words))):
        if answer == "waits":
            agains[n] = to_unix_ms(now) + WAITS_MS
        elif answer == "skipped":
            due = moment_of(words[7 * n + 3])
            logger.warning("schedule %s: the run of %s was not started: %s", text(rows[n][0]), due, answer)
        elif answer not in ("fired", "handled", "early", "paused", "overlaps"):
            logger.error("schedule %s cannot be fired, it is left for an hour: %s", text(rows[n][0]), answer)
    return agains


def _planned(name: str, when: str, jitter_ms: int, last_ms: int, now: datetime) -> tuple[datetime | None, datetime]:
    try:
        schedule = read(when)
        return due_and_next(name, schedule, timedelta(milliseconds=jitter_ms), moment_of(last_ms), now.astimezone(UTC))
    except Exception as error:  # somebody else may have written there: it keeps no other from firing
        logger.error("schedule %s cannot be fired, it is left for an hour: %s", name, error)
        return None, now + UNREADABLE
