"""What Redis knows of schedules: list them, pause one, resume it, run it now, delete it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from ...errors import SettingsMistake, UnknownSchedule, WrongValue
from ...schedules.schedule import crontab, every
from ...schedules.schedule_info import ScheduleInfo
from ...store import keys
from ...store.store import Store, now_ms
from ...store.stored_values import chunked, moment, moment_of, read_as, text, texts, whole, whole_ms
from ...values import checks
from ...values.calls import awaited
from ...workflows.canvas import Node

MOMENTS_SHOWN = 5


@awaited
async def schedules(
    connection: Store, *, containing: str = "", start: int = 0, most: int | None = None
) -> list[ScheduleInfo]:
    """Those that workers have declared, by name, then the stored ones, the next one first; *most* of them from *start*
    on, and only those with *containing* in their names."""
    names, _ = await schedule_names(connection, containing, start, most)
    return await schedules_named(connection, names)


@awaited
async def schedules_named(connection: Store, names: Sequence[str]) -> list[ScheduleInfo]:
    """Those of these names that there are, in the same order."""
    return [info for some in chunked(names) for info in await _read(connection, some) if info is not None]


@awaited
async def schedule_names(
    connection: Store, containing: str = "", start: int = 0, most: int | None = None
) -> tuple[list[str], int]:
    """The names of the same, and how many there are without *start* and *most*."""
    key, end = connection.key, None if most is None else start + most
    declared = sorted(map(text, await connection.smembers(key.SCHEDULES)))  # type: ignore[misc]
    if containing:
        stored = map(text, await connection.zrange(key.SCHEDULES_DUE, 0, -1))
        found = [name for name in (*declared, *sorted(stored)) if containing in name]
        return found[start:end], len(found)
    n, shown = len(declared), declared[start:end]
    total = n + await connection.zcard(key.SCHEDULES_DUE)
    if end is None or end > n:
        rest = await connection.zrange(key.SCHEDULES_DUE, max(start - n, 0), -1 if end is None else end - n - 1)
        shown += map(text, rest)
    return shown, total


@awaited
async def get_schedule(connection: Store, name: str) -> ScheduleInfo:
    """One of them; UnknownSchedule: there is none of that name."""
    [found] = await _read(connection, [checks.storable("name", name)])
    if found is None:
        raise await unknown(connection, name)
    return found


async def _read(connection: Store, names: Sequence[str]) -> list[ScheduleInfo | None]:
    now = await now_ms(connection)
    async with connection.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(connection.key.SCHEDULE + name)
        stored = await pipe.execute()
    return [_info(name, about, now) if about else None for name, about in zip(names, stored, strict=True)]


def _info(name: str, about: Mapping[bytes, bytes], now: int) -> ScheduleInfo:
    fields = texts(about)
    own: dict[str, Any] = {"name": name, "paused": "paused" in fields, "declared": "version" not in fields}
    if not own["declared"]:
        next_run, coming = _next_of(fields, moment_of(now))
        own |= {"next_run": next_run, "coming": coming, "gone": False}
    else:
        moments = tuple(moment_of(whole(ms)) for ms in fields["coming"].split(",") if ms and whole(ms) > now)
        gone = now - whole(fields["seen"]) > keys.SCHEDULE_GONE_MS
        own |= {"next_run": moment(fields["next"]), "coming": moments, "gone": gone}
    return read_as(ScheduleInfo, about, **own, workflow=fields["tree_name"], jitter_s=whole(fields["jitter"]) / 1000)


def _next_of(fields: Mapping[str, str], now: datetime) -> tuple[datetime | None, tuple[datetime, ...]]:
    """Of a stored one: the first moment that is not handled, and the next few. Anybody may have written there."""
    try:
        schedule = _contrib("stored_moments").read(fields["when"])
        coming = [schedule.next_after(now)]
        while len(coming) < MOMENTS_SHOWN:
            coming.append(schedule.next_after(coming[-1]))
        return schedule.next_after(moment_of(fields["last"])), tuple(coming)
    except (SettingsMistake, OverflowError, ValueError):
        return None, ()


@awaited
async def overdue(connection: Store) -> tuple[int, float]:
    """How many stored ones are due for more than a second and were not looked at, and the longest, in seconds."""
    now, due = await now_ms(connection), connection.key.SCHEDULES_DUE
    n = await connection.zcount(due, "-inf", now - 1000)
    [*head] = await connection.zrange(due, 0, 0, withscores=True)
    return n, max(now - whole_ms(head[0][1]), 0) / 1000 if n and head else 0.0


async def steer(connection: Store, name: str, what: str) -> str:
    """`pause`, `resume`, `forget`, or `now`, which answers the id of the job. UnknownSchedule names those there are."""
    answer: bytes | None = await connection.run_script("steer", checks.storable("name", name), what)
    if answer is None:
        raise await unknown(connection, name)
    return text(answer)


async def unknown(connection: Store, name: str) -> UnknownSchedule:
    known, _ = await schedule_names(connection, most=1000)
    near = checks.hint(name, known) if known else "there are: none yet"
    return UnknownSchedule(f"there is no schedule called {checks.shown(name)}; {near}")


@awaited
async def pause_schedule(connection: Store, name: str) -> None:
    """For all workers, until resumed. Its moments pass without a run; one that runs goes on."""
    await steer(connection, name, "pause")


@awaited
async def resume_schedule(connection: Store, name: str) -> None:
    """The next moment fires again; those that passed meanwhile are not made up for."""
    await steer(connection, name, "resume")


@awaited
async def forget_schedule(connection: Store, name: str) -> bool:
    """Forget one that no worker has any more, or a stored one; False if a worker has it. Its jobs stay."""
    return await steer(connection, name, "forget") == "forgotten"


@awaited
async def delete_schedule(connection: Store, name: str) -> bool:
    """Its moments fire no more; what it has called stays. False if there is none. WrongValue: a worker declares it."""
    answer: bytes | None = await connection.run_script("steer", checks.storable("name", name), "forget")
    if answer == b"kept":
        raise WrongValue(f"name={checks.shown(name)}: a worker declares it in its cron_jobs; take it out of the code")
    return answer is not None


@awaited
async def run_schedule(connection: Store, name: str) -> str:
    """Run it now, paused or not, and return the id of the job; its own moments stay as they are."""
    return await steer(connection, name, "now")


@awaited
async def put_schedule(connection: Store, name: str, call: Node, when: str, timezone: str | None = None) -> datetime:
    """As `schedules.put`, with the moments as text: `0 8 * * 1-5`, or `every 0:05:00`. Returns the first one."""
    period = _contrib("stored_moments").period_of(when)
    moments = every(period) if period else crontab(fields=when, timezone=timezone)
    return await _contrib("putting").put(connection, name, call, moments, None, 0)  # type: ignore[no-any-return]


@awaited
async def backfill_schedule(connection: Store, name: str, since: datetime, until: datetime) -> list[str]:
    """Run it for each moment from *since* to *until* for which it has not run, now; returns the ids of the jobs. Twice
    it does nothing, as long as the jobs are known. What it says of overlap, window and jitter does not count.
    UnknownSchedule; WrongValue: more than 10,000 moments, or *until* is to come."""
    return await _contrib("backfill").run_missed(connection, name, since, until)  # type: ignore[no-any-return]


@awaited
async def moments_to_backfill(connection: Store, name: str, since: datetime, until: datetime) -> int:
    """How many moments that would be; the same errors."""
    return len(await _contrib("backfill").missed(connection, name, since, until))


def _contrib(name: str) -> Any:
    return import_module(f"...contrib.{name}", __package__)
