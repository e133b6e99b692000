"""When tasks are due by themselves: `crontab()` and `every()`, as the cron jobs that arq's worker takes."""

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import fields
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self, cast
from zoneinfo import ZoneInfo

from arq.cron import CronJob

from .. import encoding
from ..errors import SettingsMistake
from ..tasks import registry
from ..tasks.registry import RegisteredTask
from ..values import checks
from ..values.calls import explained
from . import cron
from .cron import Field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_ARQ: dict[str, Any] = dict.fromkeys(field.name for field in fields(CronJob))
_OF_ARQ |= {"name": "", "microsecond": 0, "run_at_startup": False, "unique": True}
_MOMENTS = re.compile(r"\s*([0-9*/,-]+$|@)|.*[ \t]")  # What begins like this is no name of a task.
_REACHES = (timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=366 * 41))


class Schedule(CronJob):
    """A task that is due at certain moments. Redis remembers it by its `name`: unique, and kept for ever.

    Without a task it is nothing but the moments: `schedules.put()` takes those.
    """

    def __init__(
        self,
        task: RegisteredTask | str | None,
        name: str | None,
        args: Iterable[Any],
        kwargs: Mapping[str, Any] | None,
        window: timedelta,
    ) -> None:
        if task is None:
            return self._set_moments(name, args, kwargs, window)
        self.task = task if isinstance(task, str) else getattr(task, "name", "")
        if not self.task or not isinstance(self.task, str):
            raise SettingsMistake(f"{checks.shown(task)} is not a task: a schedule takes a @task, or the name of one")
        with checks.as_settings_mistake(f"schedule of {checks.shown(self.task)}: "):
            checks.name("task", self.task)
            name = checks.name("name", self.task if name is None else name)
            self.args, self.kwargs = checks.positional("args", args), checks.by_name("kwargs", kwargs)
            self.window = checks.span("window", window)
            given = self.args, self.kwargs
            if isinstance(task, RegisteredTask):
                task.parameters.check(*given)
            known = registry.find(self.task)
            if known is not None and known.parameters.annotations is not None:
                self.args, self.kwargs = known.parameters.annotations.arguments("write", *given)
            encoding.dumps([self.args, self.kwargs])

        async def run(ctx: Any) -> Any:
            return await registry.lookup(self.task)(*given[0], **given[1])

        super().__init__(**_OF_ARQ | {"name": name, "coroutine": run})

    def _set_moments(self, name: object, args: object, kwargs: object, window: timedelta) -> None:
        if name is not None or args != () or kwargs is not None:
            raise SettingsMistake("name=, args= and kwargs= go with a task: give it first, or put them into the call")
        with checks.as_settings_mistake():
            self.window = checks.span("window", window)
        self.task, self.args, self.kwargs = "", (), {}
        super().__init__(**_OF_ARQ)

    @property
    @abstractmethod
    def when(self) -> str:
        """When it is due, in the words of its declaration."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {f'{self.name}: ' if self.name else ''}{self.when}>"

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime:
        """The first due moment later than *moment*, in UTC."""

    def calculate_next(self, prev_run: datetime) -> None:
        """arq's word: set `next_run` to the first due moment later than *prev_run*."""
        self.next_run = self.next_after(prev_run)


class crontab(Schedule):
    """Due when the clock of *timezone* shows it; a field that is not given allows every value, minute too.

    Fields are Celery's: `minute=0`, `hour="*/2, 1"`, `day_of_week="mon-fri"` (0 and 7 are Sunday), lists;
    all five must match. Or one text has all five, in cron's order: `crontab(task, "0 8 * * 1-5")`.

    *timezone*: a ZoneInfo, or its name. Without it, the worker's `timezone=`, otherwise UTC. A
    moment missed while no worker ran is caught up once if it is not longer ago than *window*.
    """

    @explained
    def __init__(
        self,
        task: RegisteredTask | str | None = None,
        fields: str | None = None,
        *,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        minute: Field = "*",
        hour: Field = "*",
        day_of_week: Field = "*",
        day_of_month: Field = "*",
        month_of_year: Field = "*",
        timezone: str | tzinfo | None = None,
        window: timedelta = timedelta(hours=1),
    ) -> None:
        given = dict(zip(cron.ORDER, (minute, hour, day_of_month, month_of_year, day_of_week), strict=True))
        if fields is None and isinstance(task, str) and _MOMENTS.match(task) and registry.find(task) is None:
            task, fields = None, task
        read = None if fields is None else cron.five(fields)
        super().__init__(task, name, args, kwargs, window)
        if read is not None:
            if any(field != "*" for field in given.values()):
                raise SettingsMistake(f"fields={checks.shown(fields)}: the text has all five; leave the others out")
            given = read
        self.due = cron.moments(**given)
        with checks.as_settings_mistake():
            self.timezone = checks.or_none(checks.zone)("timezone", timezone)
        self._text = " ".join(_as_text(field, getattr(self.due, name)) for name, field in given.items())

    def next_after(self, moment: datetime) -> datetime:
        zone = self.timezone or (moment.tzinfo if isinstance(moment.tzinfo, ZoneInfo) else UTC)
        return cron.next_after(self.due, zone, moment)

    def in_zone(self, zone: tzinfo) -> Self:
        """The same by the clock of *zone*, unless it has a zone of its own."""
        moved = copy(self)
        moved.timezone = self.timezone or zone
        return moved

    @property
    def when(self) -> str:
        return f"{self._text} (m/h/dM/MY/d){f' {self.timezone}' if self.timezone else ''}"


class every(Schedule):
    """Due each time that *period* has gone by, counted from 1970: the same moments on every machine."""

    @explained
    def __init__(
        self,
        task: RegisteredTask | str | timedelta,
        period: timedelta | None = None,
        *,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        window: timedelta = timedelta(hours=1),
    ) -> None:
        given = (None, task) if period is None else (task, period)
        what, period = cast("tuple[RegisteredTask | str | None, timedelta]", given)
        super().__init__(what, name, args, kwargs, window)
        with checks.as_settings_mistake(f"{self.name}: " if self.name else ""):
            self.period = checks.span("every", period, least=timedelta(milliseconds=1))

    def next_after(self, moment: datetime) -> datetime:
        return _EPOCH + ((moment - _EPOCH) // self.period + 1) * self.period

    @property
    def when(self) -> str:
        return f"every {self.period}"


def _as_text(field: Field, values: Iterable[int]) -> str:
    """The field as cron would have it."""
    return re.sub(r"\s", "", field) if isinstance(field, str) else ",".join(map(str, values))


def next_of(job: CronJob, moment: datetime) -> datetime:
    """The first due moment of *job*, which may be arq's, later than *moment*."""
    job.calculate_next(moment)
    assert job.next_run is not None
    return job.next_run


def latest_of(job: CronJob, after: datetime, until: datetime) -> datetime | None:
    """The last moment due later than *after* and not later than *until*: what was missed between them."""
    now = until.astimezone(UTC)
    # the last hour first: a year of minutes is not walked through
    for reach in (job.period,) if isinstance(job, every) else _REACHES:
        start = max(after, now - reach)
        found, upcoming = None, next_of(job, start.astimezone(until.tzinfo))
        while upcoming <= now:
            found, upcoming = upcoming, next_of(job, upcoming.astimezone(until.tzinfo))
        if found or start == after:
            return found
    return None
