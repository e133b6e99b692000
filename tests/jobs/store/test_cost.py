"""docs/cost.md: the commands of each script on a job's way. A change that adds one is seen here, and in that page."""

from __future__ import annotations

from typing import Literal

import pytest

from jobs import Unique, connect, task
from settings import ROOT
from tests.jobs.store.command_counts import BADLY, MANY, WELL, counted, each_more, listed, multiply, table, way_of
from tests.jobs.worker import tasks
from tests.registered_tasks import forget


async def test_the_page_has_what_each_script_reads_and_writes(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        await counted(redis, 1)  # the first of all loads the scripts
        found = table(await counted(redis, 1), await counted(redis, MANY))

    page = (ROOT / "docs" / "cost.md").read_text()
    assert found in page, f"docs/cost.md has another table than Redis counts. This is the new one:\n\n{found}\n"


async def test_the_page_has_what_a_failed_attempt_takes_besides(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        await counted(redis, 1, BADLY)  # the first of its error in this minute
        well = each_more(await counted(redis, 1), await counted(redis, MANY))
        badly = each_more(await counted(redis, 1, BADLY), await counted(redis, MANY, BADLY))

    found = listed(badly - well)
    page = (ROOT / "docs" / "cost.md").read_text()
    assert f"its error ({found})" in page, f"docs/cost.md says something else than {found}"


@pytest.mark.parametrize("until", ["end", "start"])
async def test_a_key_takes_the_same_among_100_000_others(redis_url: str, until: Literal["end", "start"]) -> None:
    name = f"tests.cost.{until}"
    once = task(name=name, unique=Unique("x", until=until))(multiply)
    async with connect(redis_url) as redis:
        await counted(redis, 1)
        plain = await counted(redis, 1), await counted(redis, MANY)
        alone = await counted(redis, 1, called=once), await counted(redis, MANY, called=once)
        await redis.mset({f"{redis.key.UNIQUE}{name}:{n:032x}": b"another" for n in range(100_000)})
        await redis.config_resetstat()
        among = await counted(redis, 1, called=once), await counted(redis, MANY, called=once)

    assert among == alone
    forget(name)
    besides = {script: listed(each_more(*alone, script) - each_more(*plain, script)) for script in alone[0]}
    page = (ROOT / "docs" / "cost.md").read_text()
    assert f"is stored by itself ({besides['enqueue']})" in page, besides
    assert besides["finish"] == ("DEL, GET" if until == "end" else "GET"), besides
    assert besides["claim"] == ("DEL, GET" if until == "start" else ""), besides


async def test_a_minute_keeps_one_short_field_for_each_task(redis_url: str) -> None:
    async with connect(redis_url) as redis:
        async for _ in way_of(MANY, redis, WELL, tasks.multiply):
            pass
        minutes = [await redis.hgetall(key) async for key in redis.scan_iter(f"{redis.key.STATS}*")]  # type: ignore[misc]

    counted = [(field, len(value)) for fields in minutes for field, value in fields.items() if field[:1] != b"|"]
    assert counted
    for field, size in counted:
        assert field == b"=tests.multiply"
        assert size <= 64  # longer ones make an index of a hash of few fields
