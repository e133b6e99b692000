"""The moments of a stored schedule: read from the words that Redis has of them, and which of them is due."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from ..errors import SettingsMistake
from ..schedules import cron
from ..schedules.schedule import Schedule, crontab, every, latest_of
from ..values import checks

READ_AT_ONCE = 10_000  # Schedules whose moments are kept in memory.
_CRON = re.compile(r"(\S+ \S+ \S+ \S+ \S+) \(m/h/dM/MY/d\)(?: (\S+))?")
_EVERY = re.compile(r"every (?:(\d{1,9}) days?, )?(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{6}))?")
_MOMENT = timedelta(milliseconds=1)


@lru_cache(READ_AT_ONCE)
def read(when: str) -> Schedule:
    """What `Schedule.when` says. SettingsMistake: it is of arq, or of an earlier release that wrote it otherwise."""
    if (period := period_of(when)) is not None:
        return every(period)
    if (found := _CRON.fullmatch(when)) is None:
        raise SettingsMistake(f"{checks.shown(when)} cannot be read as moments")
    return crontab(**dict(zip(cron.ORDER, found[1].split(), strict=True)), timezone=found[2] or "UTC")


def period_of(when: str) -> timedelta | None:
    """The period of `every 0:00:30`; None for other words."""
    if (found := _EVERY.fullmatch(when)) is None:
        return None
    days, hours, minutes, seconds, micros = (int(part or 0) for part in found.groups())
    return timedelta(days, seconds, micros, 0, minutes, hours)


def due_and_next(
    name: str, schedule: Schedule, jitter: timedelta, last: datetime, now: datetime
) -> tuple[datetime | None, datetime]:
    """The last moment later than *last* that is due *now*, if there is one; and when to look again."""
    due = latest_of(schedule, last, now)
    if due is not None and due + _delay(name, schedule, jitter, due) > now:
        due = latest_of(schedule, last, due - _MOMENT)
    following = schedule.next_after(due or last)
    return due, following + _delay(name, schedule, jitter, following)


def _delay(name: str, schedule: Schedule, jitter: timedelta, moment: datetime) -> timedelta:
    """How much later than *moment* it fires: the same on each worker, and before the next moment."""
    if not jitter:
        return jitter
    most = min(jitter, schedule.next_after(moment) - moment) // _MOMENT
    digest = blake2b(f"{name}:{moment.timestamp():.3f}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % max(most, 1) * _MOMENT


def between(schedule: Schedule, since: datetime, until: datetime) -> Iterator[datetime]:
    """Its moments from *since* to *until*, both included."""
    moment = schedule.next_after(since - _MOMENT)
    while moment <= until:
        yield moment
        moment = schedule.next_after(moment)
