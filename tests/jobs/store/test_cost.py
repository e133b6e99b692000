"""docs/cost.md: the commands of each script on a job's way. A change that adds one is seen here, and in that page."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

import pytest

from jobs import Unique, connect, task
from jobs.client.connection import JobsRedis
from jobs.client.decorator import Task
from jobs.store import keys
from jobs.store.script_connection import ScriptConnection
from jobs.worker.claim import Claimer
from jobs.worker.execution.claimed_job import FAILURE, SUCCESS, CallData, HeldJob, Outcome
from jobs.worker.execution.outcome_encoding import OutcomeEncoder
from jobs.worker.lease_renewer import words
from settings import ROOT
from tests.jobs.worker import tasks
from tests.registered_tasks import forget

MANY = 20
WELL, BADLY = Outcome(SUCCESS, 3, keep_s=3600), Outcome(FAILURE, ValueError("no luck"), keep_s=3600)
NOT_OF_A_SCRIPT = {"evalsha", "eval", "info", "config|resetstat", "unlink"}


async def multiply(x: int, y: int) -> int:
    return x * y


async def way_of(n: int, redis: JobsRedis, outcome: Outcome, called: Task[[int, int], int]) -> AsyncIterator[str]:
    """From the call to the end, with the words that a worker sends: the name of each script that has run."""
    connection = ScriptConnection(redis.connection_pool, redis.key)
    claimer, encoder = Claimer(connection, "w", ["default"], lease_s=60), OutcomeEncoder(redis, "w")
    await claimer.claim(1, 1, dict)  # which releases first what one of this name may have left
    yield "nothing"
    await called.apply_many([(one, 2) for one in range(n)])
    yield "enqueue"
    await forget_the_last_second(redis)
    claimed = (await claimer.claim(n, 1, dict)).jobs
    jobs = [replace(job, started=job.started - 3600) for job in claimed]  # durations of one kind are one counter
    yield "claim"
    await forget_the_last_second(redis)
    held = words({job.id: job.token for job in jobs})
    await connection.run("renew", ["w", 60_000, "default", 2, 2, called.name, "{}", "host", "h", *held])
    yield "renew"
    await forget_the_last_second(redis)
    rows = [encoder.row(HeldJob(job, None, redis, None, CallData(called.name)), outcome) for job in jobs]
    answers = await connection.run("finish", ["w", keys.HISTORY_LENGTH, "", *(word for row in rows for word in row)])
    yield "finish"
    assert answers == [1] * n
    await connection.close()


async def forget_the_last_second(redis: JobsRedis) -> None:
    """What is written once in a second or a minute is written next, whatever was before."""
    minute = int(time.time()) // 60
    await redis.unlink(redis.key.ALIVE, *(f"{redis.key.STATS}{minute + n}" for n in range(2)))


async def counted(
    redis: JobsRedis, n: int, outcome: Outcome = WELL, called: Task[[int, int], int] = tasks.multiply
) -> dict[str, Counter[str]]:
    """How often each command ran in each script."""
    found = {}
    async for script in way_of(n, redis, outcome, called):
        stats = await redis.info("commandstats")
        commands = {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()}
        found[script] = Counter({name: n for name, n in commands.items() if name not in NOT_OF_A_SCRIPT})
        await redis.config_resetstat()
    return found


def listed(commands: Counter[str]) -> str:
    return ", ".join(f"{name.upper()}{f' x {n}' if n > 1 else ''}" for name, n in sorted(commands.items()) if n)


def each_more(one: dict[str, Counter[str]], many: dict[str, Counter[str]], script: str = "finish") -> Counter[str]:
    """What a script does for each job, where it did it for MANY and where for one."""
    return Counter({name: (many[script][name] - n) // (MANY - 1) for name, n in one[script].items()})


def table(one: dict[str, Counter[str]], many: dict[str, Counter[str]]) -> str:
    lines = ["| script | for each call of the script | for each job in it |", "|---|---|---|"]
    total = Counter[str]()
    for script in ("enqueue", "claim", "renew", "finish"):
        each = Counter[str]()
        for command in many[script]:
            each[command], rest = divmod(many[script][command] - one[script][command], MANY - 1)
            assert rest == 0, f"{script}: {command} is neither for each job nor for each call"
        lines.append(f"| {script} | {listed(one[script] - each)} | {listed(each)} |")
        total += each if script != "renew" else Counter()
    return "\n".join([*lines, f"| a job without renewals | | {sum(total.values())} commands |"])


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
