"""Runs a schedule for moments that have passed: imported when somebody asks for it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from ..errors import SettingsMistake, WrongValue
from ..monitor_site.model.stored_schedules import get_schedule, unknown
from ..store.call import Call
from ..store.schedule_ids import job_id
from ..store.store import NEW, now
from ..store.stored_values import chunked, texts
from ..values import checks
from .stored_moments import between, read

MOST = 10_000


async def run_missed(connection: Any, name: str, since: datetime, until: datetime) -> list[str]:
    """See `schedules.backfill`."""
    moments = await missed(connection, name, since, until)
    raw = await connection.hgetall(connection.key.SCHEDULE + name)
    if not raw:
        raise await unknown(connection, name)
    kept = texts(raw)
    made: list[str] = []
    for some in chunked([job_id(name, moment) for moment in moments]):
        ids = await _unknown(connection, some)
        calls = [
            Call(
                one,
                kept["queue"],
                raw[b"payload"],
                kept["task"],
                "",
                kept["expires"],
                tree=raw.get(b"tree", b""),
                name=kept["tree_name"],
            )
            for one in ids
        ]
        answers = await connection.enqueue(calls) if calls else []
        made += [one for one, answer in zip(ids, answers, strict=True) if answer == NEW]
    return made


async def missed(connection: Any, name: str, since: datetime, until: datetime) -> list[datetime]:
    """The moments in that span, at most MOST; whether it has run for them is not looked at."""
    since, until = checks.moment("since", since).astimezone(UTC), checks.moment("until", until).astimezone(UTC)
    info = await get_schedule(connection, name)
    if until > await now(connection):
        raise WrongValue(f"until={until}: it is to come, and the schedule fires by itself then")
    try:
        moments = list(islice(between(read(info.when), since, until), MOST + 1))
    except (SettingsMistake, OverflowError) as error:
        raise WrongValue(f"schedule {checks.shown(name)}: {error}") from None
    if len(moments) > MOST:
        raise WrongValue(f"since={since}: from then on there are more than {MOST:,} moments; take a shorter span")
    return moments


async def _unknown(connection: Any, ids: Sequence[str]) -> list[str]:
    """Of these ids those that no job has had, as far as its record is kept."""
    async with connection.pipeline(transaction=False) as pipe:
        for one in ids:
            pipe.exists(connection.key.RECORD + one)
        return [one for one, there in zip(ids, await pipe.execute(), strict=True) if not there]
