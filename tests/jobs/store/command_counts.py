"""The commands of each script on a job's way, as Redis counts them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

from jobs.client.connection import JobsRedis
from jobs.client.decorator import Task
from jobs.store import keys
from jobs.store.script_connection import ScriptConnection
from jobs.worker.claim import Claimer
from jobs.worker.execution.claimed_job import FAILURE, SUCCESS, CallData, HeldJob, Outcome
from jobs.worker.execution.outcome_encoding import OutcomeEncoder
from jobs.worker.lease_renewer import words
from tests.jobs.worker import tasks

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
