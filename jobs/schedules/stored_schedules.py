"""What Redis knows of the schedules that workers have: list them, pause one, resume it, run it now, forget it."""

from dataclasses import dataclass
from datetime import datetime

from ..errors import UnknownSchedule
from ..store import keys
from ..store.store import Store, now_ms
from ..store.stored_values import moment, moment_of, read_as, text, texts, whole
from ..values import checks
from ..values.calls import awaited


@dataclass(frozen=True)
class ScheduleInfo:
    """One schedule. Times are in UTC, by Redis' clock; None: never."""

    name: str
    task: str
    when: str  # When it is due, as declared: `0 10 * * 6 (m/h/dM/MY/d) Europe/Berlin`, `every 0:00:30`.
    queue: str
    paused: bool
    next_run: datetime | None  # One in the past: no worker has this schedule any more, or none runs.
    coming: tuple[datetime, ...]  # The next five, as a worker stored them when it started or fired; none has passed.
    last_run: datetime | None
    last_id: str  # The job of the last run: `Result(info.last_id)`. It ends as results do.
    skipped: int  # How many moments were passed over: paused, or found too late.
    last_skipped: datetime | None
    gone: bool  # No worker has it: it is no longer in the code, or none that has it runs.
    seen: datetime | None  # When a worker last declared it, a minute old at most.


@awaited
async def schedules(connection: Store) -> list[ScheduleInfo]:
    """Every schedule that a worker has ever declared, by name."""
    now = await now_ms(connection)
    names = sorted(map(text, await connection.smembers(connection.key.SCHEDULES)))  # type: ignore[misc]
    async with connection.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(connection.key.SCHEDULE + name)
        stored = await pipe.execute()
    found: list[ScheduleInfo] = []
    for name, about in zip(names, stored, strict=True):
        fields = texts(about)
        coming = tuple(moment_of(whole(ms)) for ms in fields["coming"].split(",") if ms and whole(ms) > now)
        own = {"name": name, "paused": "paused" in fields, "next_run": moment(fields["next"]), "coming": coming}
        gone = now - whole(fields["seen"]) > keys.SCHEDULE_GONE_MS
        found.append(read_as(ScheduleInfo, about, **own, gone=gone))
    return found


async def steer(connection: Store, name: str, what: str) -> str:
    """`pause`, `resume`, `forget`, or `now`, which answers the id of the job. UnknownSchedule names those there are."""
    answer: bytes | None = await connection.run_script("steer", checks.storable("name", name), what)
    if answer is None:
        known = ", ".join(info.name for info in await schedules(connection)) or "none yet"
        raise UnknownSchedule(f"no worker has a schedule called {checks.shown(name)}; there are: {known}")
    return text(answer)


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
    """Forget one that no worker has any more; False if one has it. Its jobs stay."""
    return await steer(connection, name, "forget") == "forgotten"


@awaited
async def run_schedule(connection: Store, name: str) -> str:
    """Run it now, paused or not, and return the id of the job; its own moments stay as they are."""
    return await steer(connection, name, "now")
