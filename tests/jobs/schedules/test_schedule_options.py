"""Every option of a schedule and of a connection: taken as it is meant, or refused where it is written."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis

from jobs import connect, crontab, every, task
from jobs.client.connection import JobsRedis
from jobs.errors import SettingsMistake
from tests.jobs.option_values import (
    BERLIN,
    COUNT,
    HOOK,
    LONG,
    NAME,
    ODD,
    ZONE,
    Kind,
    Pytz,
    refused_everywhere,
    same,
    some_function,
)

URL = "unix:///nowhere/redis.sock"


@task(name="schedule_options.work")
async def work(*args: Any) -> None: ...


SPAN = Kind(
    same(timedelta(seconds=30), timedelta(days=400)),
    [30, 0, 0.5, "30", None, True, timedelta(seconds=-1), timedelta.max, *ODD],
)
ARGS = Kind([((4,), (4,)), ([4], (4,)), (None, ())], ["ab", b"ab", {"x": 1}, {4}, 5, True, object(), [object()]])
OF_SCHEDULES = {
    "task": Kind([], [some_function, print, "", "a,b", "a\nb", 5, LONG, object()]),
    "name": Kind([*NAME.right, (None, "schedule_options.work")], [value for value in NAME.wrong if value is not None]),
    "args": ARGS,
    "kwargs": Kind([({}, {}), (None, {})], ["ab", 5, [1], True, {"x": 1}, object()]),
    "window": Kind([*SPAN.right, (timedelta(0), timedelta(0))], SPAN.wrong),
}
FIELD_WRONG = [
    10**5_000,
    "",
    "a",
    "1 2",
    "*/0",
    "60-70",
    None,
    True,
    1.5,
    -1,
    99,
    [],
    [None],
    b"5",
    LONG,
    float("nan"),
    object(),
]
FIELD = Kind(same("*", "*/2", 5, "5", [5, 6], {5}), FIELD_WRONG)
CRONTAB = OF_SCHEDULES | {
    "minute": FIELD, "hour": FIELD, "day_of_week": FIELD, "day_of_month": FIELD, "month_of_year": FIELD,
    "fields": Kind(same("0 8 * * 1-5", None), [5, "", "0 8 * *", "0 8 * * * *", "0 8 1 * 1", b"0 8", LONG, object()]),
    "timezone": Kind([*ZONE.right, (None, None)], ZONE.wrong),
}  # fmt: skip
EVERY = OF_SCHEDULES | {"period": SPAN.but(timedelta(0), timedelta(microseconds=1))}


def a_crontab(**options: Any) -> Any:
    return crontab(options.pop("task", work), **options)


def an_every(**options: Any) -> Any:
    return every(options.pop("task", work), options.pop("period", timedelta(seconds=30)), **options)


SCHEDULES: list[tuple[type, Callable[..., Any], dict[str, Kind]]] = [
    (crontab, a_crontab, CRONTAB),
    (every, an_every, EVERY),
]


@pytest.mark.parametrize(("made", "door", "rows"), SCHEDULES, ids=["crontab", "every"])
def test_every_option_of_a_schedule_is_taken_or_refused(
    made: type, door: Callable[..., Any], rows: dict[str, Kind]
) -> None:
    assert rows.keys() == inspect.signature(made).parameters.keys()
    for option, kind in rows.items():
        for value in kind.wrong:
            with pytest.raises(SettingsMistake) as refused:
                door(**{option: value})
            text = str(refused.value)
            shown = "every" if option == "period" else option
            assert shown in text or "unexpected keyword" in text or "cannot be encoded" in text, text
            assert len(text) < 400
            assert text.isprintable()
        for value, meant in kind.right:
            schedule = door(**{option: value})
            assert (
                option in ("minute", "hour", "day_of_week", "day_of_month", "month_of_year", "fields")
                or getattr(schedule, option) == meant
            )
            assert schedule.next_after(datetime(2026, 1, 1, tzinfo=UTC)) > datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("zone", [Pytz(), "Europe/Berlin", BERLIN])
def test_ten_oclock_in_berlin_is_ten_oclock(zone: Any) -> None:
    july = datetime(2026, 7, 1, tzinfo=UTC)

    assert crontab(work, minute=0, hour=10, timezone=zone).next_after(july) == datetime(2026, 7, 1, 8, tzinfo=UTC)


CONNECTION = {"job_serializer": HOOK, "job_deserializer": HOOK, "default_queue_name": NAME, "expires_extra_ms": COUNT}


@pytest.mark.parametrize(
    "option", ["password", "db", "username", "host", "ssl", "decode_responses", "socket_timeout", "prefix"]
)
async def test_what_belongs_into_the_url_is_refused_beside_it(option: str) -> None:
    with pytest.raises(SettingsMistake, match=f"no option '{option}' of a connection: .*redis://user:password@host"):
        async with connect(URL, **{option: "x"}):
            pass


@pytest.mark.parametrize("option", CONNECTION)
async def test_every_option_of_a_connection_is_taken_or_refused(option: str) -> None:
    arqs = inspect.signature(ArqRedis.__init__).parameters.keys()
    assert CONNECTION.keys() == arqs - {"self", "pool_or_conn", "kwargs"}
    refused_everywhere(lambda **options: JobsRedis.at(URL, **options), option, CONNECTION[option])
    for value, _ in CONNECTION[option].right:
        async with connect(URL, **{option: value}):
            pass
