"""Failed attempts in groups: those that failed in the same way are one, with how often and when they came."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from ..client.connection import JobsRedis
from ..client.job_info import Attempt, attempts_of
from ..errors import WrongValue
from ..store import keys
from ..store.store import now_ms
from ..store.stored_values import read_as, text, whole
from ..values import checks
from ..values.calls import awaited
from .query import Term, parse

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MOST_MINUTES = 120  # A longer time is counted by hours.
STATES = "open", "resolved", "ignored"


@dataclass(frozen=True)
class ErrorGroup:
    """Attempts that failed in the same way: of one task, class, place and message, with `…` for what differs there."""

    id: str
    task: str
    type: str  # `shop.CardDeclined`; Python's classes and those of this library have no module.
    place: str  # `shop/cards.py in charge`; '' where no code of the application failed.
    message: str
    first: datetime
    last: datetime
    first_version: str  # Of the worker's code then; '' for none.
    last_version: str
    total: int  # Attempts since the first.
    state: str  # open, resolved (until it fails again) or ignored.
    above: int  # An ignored one is open again when more than this many fail in a minute; 0: it never is.
    came_back: datetime | None  # When it was open again by itself.
    jobs: tuple[str, ...]  # Ids of those that failed last, the latest first.
    count: int  # Attempts in the time that was asked for.
    counts: tuple[int, ...]  # Of each minute of it, of more than MOST_MINUTES: of each hour.


def span_of(since: str, at: datetime, zone: tzinfo = UTC) -> timedelta:
    """How far back a time is that is written as in a query: `30m`, `6h`, `14:00`. WrongValue says what to write."""
    return at - (parse(str(Term("since", since))).wanted(at, zone).since or at)


async def errors(
    connection: JobsRedis, *, since: timedelta = HOUR, state: str = "open", sort: str = "count"
) -> list[ErrorGroup]:
    """The groups that failed in the time *since*, at most the last 72 hours: those in a state, or `all`; by count,
    first or last, the highest first. A minute counts 128 groups. WrongValue: an option with a wrong value.
    """
    _one_of("state", state, (*STATES, "all"))
    _one_of("sort", sort, ("count", "first", "last"))
    groups = [group for group in await _groups(connection, since) if state in ("all", group.state)]
    return sorted(groups, key=lambda group: (getattr(group, sort), group.last), reverse=True)


async def error(connection: JobsRedis, error_id: str, since: timedelta = HOUR) -> ErrorGroup | None:
    """One group, with what it counts *since*; None if there is none of this id."""
    return next(iter(await _groups(connection, since, [error_id.encode(errors="replace")])), None)


async def example(connection: JobsRedis, group: ErrorGroup) -> tuple[str, Attempt] | None:
    """The latest of its attempts whose record is kept, and the id of the job."""
    async with connection.pipeline(transaction=False) as pipe:
        for job_id in group.jobs:
            pipe.hmget(connection.key.RECORD + job_id, ["error", "log"])
        records = await pipe.execute()
    for job_id, (error_id, log) in zip(group.jobs, records, strict=True):
        failed = [one for one in attempts_of(log or b"") if one.outcome in ("FAILURE", "RETRY")]
        if failed and text(error_id) == group.id:  # of the attempt that failed last
            return job_id, failed[-1]
    return None


@awaited
async def mark_error(connection: JobsRedis, error_id: str, state: str, above: int = 0) -> bool:
    """Have a group resolved, ignored (with *above*: until more than that many fail in a minute) or open; False if there
    is none of this id. WrongValue: another state, or an *above* below 0."""
    _one_of("state", state, STATES)
    return bool(await connection.run_script("mark", error_id, state, checks.count("above", above)))


def _one_of(option: str, value: str, words: Sequence[str]) -> None:
    if value not in words:
        raise checks.refusal(WrongValue, option, value, f"one of {', '.join(words)}")


async def _groups(connection: JobsRedis, since: timedelta, names: Iterable[bytes] = ()) -> list[ErrorGroup]:
    n = min(max(-(-checks.span("since", since) // MINUTE), 1), keys.STATS_KEPT_S // 60)
    key, last = connection.key, await now_ms(connection) // 60_000
    first, parts = last - n + 1, _parts(last - n + 1, last)
    counts: dict[bytes, list[int]] = {}
    async with connection.pipeline(transaction=False) as pipe:
        pipe.zrange(key.ERRORS, "+inf", first * 60_000, byscore=True, desc=True, offset=0, num=keys.ERROR_GROUPS)  # type: ignore[arg-type]
        for time in (time for part in parts for time in part):
            pipe.hgetall(key.ERRORS_OF + time)
        latest, *hashes = await pipe.execute()
        of_part = [number for number, part in enumerate(parts) for _ in part]
        for number, fields in zip(of_part, hashes, strict=True):
            for name, count in fields.items():
                counts.setdefault(name, [0] * len(parts))[number] += whole(count)
        names = list(names or latest)
        for name in names:
            pipe.hgetall(key.ERROR + text(name))
        found = zip(names, await pipe.execute(), strict=True)
    none = [0] * len(parts)
    return [
        read_as(
            ErrorGroup, fields, id=text(name), total=whole(fields.get(b"count")),
            jobs=tuple(text(fields.get(b"jobs")).split("\n")), count=sum(counts.get(name, none)),
            counts=tuple(counts.get(name, none)),
        )
        for name, fields in found if fields
    ]  # fmt: skip


def _parts(first: int, last: int) -> list[list[str]]:
    """What a time from one minute to another consists of: minutes; of a longer one some minutes, and whole hours."""
    if last - first < MOST_MINUTES:
        return [[f"1:{minute}"] for minute in range(first, last + 1)]
    hour = -(-first // 60)
    begin = [f"1:{minute}" for minute in range(first, hour * 60)]
    return [*([begin] if begin else []), *([f"60:{one}"] for one in range(hour, last // 60 + 1))]
