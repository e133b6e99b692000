"""Commands with --where: the plan that they print, the question, and who carries it out."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from typing import Any

import pytest

from jobs import Result, monitor, task
from jobs.client.connection import JobsRedis
from tests.jobs.commands.conftest import Cli, StartOnline, process
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import ROOT, StartWorker
from tests.waiting import wait_until

__all__ = ["process"]


async def waits(results: list[Any]) -> list[str]:
    return [await result.state() for result in results]


async def test_a_dry_run_counts_and_changes_nothing(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    failed = [await tasks.fail.delay(str(n)) for n in range(3)]
    for result in failed:
        await wait_until(result.ready, "the job to fail")
    await wait_until(Result(await monitor.retry(connection, failed[0].id)).ready, "its rerun to fail")

    answer = await cli("retry", "--where", "task:tests.fail state:failed since:1h", "--dry-run", "--rate", "2/m")
    data = await cli("retry", "--where", "task:tests.fail", "--dry-run", "--json")

    assert (answer.code, answer.err) == (0, "")
    assert answer.lines == [
        "retry: 3 jobs",
        "       3  tests.fail  ValueError",
        "       1  left out: run again already",
        "At 2/m it takes 90 s.",
    ]
    plan = {"action": "retry", "query": "task:tests.fail", "jobs": 3, "left_out": {"run again already": 1}}
    assert data.json.items() >= plan.items()
    assert (await monitor.audit(connection)).rows == []
    assert (await cli("retry", "--where", "task:nobody", "--dry-run")).code == 1


async def test_a_run_asks_with_its_number(cli: Cli, process: Cli, connection: JobsRedis) -> None:
    results = await tasks.log.apply_many([(n,) for n in range(3)])

    refused = await process("control", "revoke", "--where", "task:tests.log", typed="n\n")
    assert refused.code == 1
    assert "revoke: 3 jobs" in refused.err
    assert "Revoke 3 jobs? [y/N]" in refused.err
    assert "nothing was changed" in refused.err
    assert await waits(results) == ["PENDING"] * 3

    agreed = await cli("control", "revoke", "--where", "task:tests.log", "-f")

    assert agreed.code == 0
    assert "No live worker can do it: it is done here" in agreed.err
    assert agreed.out == "Done here: SUCCESS, 3 of 3 jobs\n"
    assert await waits(results) == ["REVOKED"] * 3
    [entry] = (await monitor.audit(connection)).rows
    assert (entry.what, entry.target, entry.result) == ("revoke many", "task:tests.log", "3 of 3 jobs")


async def test_a_live_worker_does_it(cli: Cli, connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    results = await tasks.log.apply_many([(n,) for n in range(4)], queue="wrong")

    moved = await cli("move", "--to", "right", "--where", "queue:wrong", "--force", "--json")
    purged = await cli("purge", "--where", "queue:right", "-f")

    assert (moved.code, moved.json["state"], moved.json["done"]) == (0, "SUCCESS", 4)
    assert moved.json["run"] == f"bulk:{moved.json['id']}"
    assert purged.code == 0
    assert "SUCCESS, 4 of 4 jobs" in purged.out
    assert await waits(results) == ["REVOKED"] * 4
    assert [row.what for row in (await monitor.audit(connection)).rows] == ["purge many", "move many"]


class CardDeclined(Exception):
    """Of the shop in the documentation."""


CardDeclined.__module__ = "shop"


@task(name="shop.settle", bind=True, raises=(CardDeclined,))
async def charge(self: Any, order: int) -> None:
    if "~" not in self.request.id:
        raise CardDeclined(order)


@task(name="shop.mail", bind=True)
async def mail(self: Any, order: int) -> None:
    if "~" not in self.request.id:
        raise TimeoutError


async def test_why_and_result_name_the_other_runs(cli: Cli, connection: JobsRedis, start_worker: StartWorker) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    [shown] = re.findall(r"\$ python -m quarq_jobs why order:4711\n(.+?)```", page, re.DOTALL)
    await start_worker(tasks=[mail])
    first = await mail.apply_async((1,), task_id="order:4711")
    await first.get(timeout=10, propagate=False)
    await Result(await monitor.retry(connection, first.id)).get(timeout=10)

    assert (await cli("why", first.id)).out == shown
    assert (await cli("why", "-q", first.id)).lines == shown.splitlines()[:1]
    assert (await cli("result", first.id)).lines[1:] == shown.splitlines()[1:]
    assert (await cli("why", f"{first.id}~2")).lines[1] == "Runs again order:4711: FAILURE"


async def test_the_documented_example(cli: Cli, connection: JobsRedis, start_worker: StartWorker) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text().partition("## Many jobs at once")[2]
    planned, done = re.findall(r"```console\n\$ python -m quarq_jobs (.+?)\n(.+?)```", page, re.DOTALL)[:2]
    await start_worker(tasks=[charge, mail])
    failed = [*await charge.apply_many([(n,) for n in range(55)]), *await mail.apply_many([(n,) for n in range(12)])]
    for result in failed:
        await result.get(timeout=10, propagate=False)
    for result in failed[:12]:
        await Result(await monitor.retry(connection, result.id)).get(timeout=10)

    assert (await cli(*shlex.split(planned[0]))).out == planned[1]
    answer = await cli(*shlex.split(done[0]))

    assert re.sub(r"[0-9a-f]{32}", "<plan>", answer.out) == re.sub(r"[0-9a-f]{32}", "<plan>", done[1])
    for result in failed[12:]:
        await Result(f"{result.id}~2").get(timeout=10)


@pytest.mark.timeout(60)
async def test_a_run_goes_on_when_its_command_is_interrupted(
    connection: JobsRedis, start_online: StartOnline, redis_url: str
) -> None:
    await start_online()
    results = await tasks.log.apply_many([(n,) for n in range(30)], countdown=600)
    words = ["control", "revoke", "--where", "task:tests.log", "-f", "--rate", "30/s"]
    command = subprocess.Popen(
        [sys.executable, "-m", "jobs", "--redis-url", redis_url, *words], cwd=ROOT, stderr=subprocess.PIPE
    )

    async def first_is_revoked() -> bool:
        return "REVOKED" in await waits(results)

    await wait_until(first_is_revoked, "the run to begin", timeout_s=20)
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=10)

    assert b", and goes on when this command ends." in err
    assert b"Interrupted.\n" in err
    assert command.returncode == 1
    for result in results:
        await wait_until(result.ready, "the run to go on")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["retry"], "give the ID of a job, or --where"),
        (["retry", "x", "--where", "y"], "give the ID of a job, or --where"),
        (["retry", "x", "--dry-run"], "--dry-run and --rate go with --where"),
        (["purge", "--dry-run"], "--dry-run and --rate go with --where"),
        (["purge", "-f", "--rate", "5/s"], "--dry-run and --rate go with --where"),
        (["control", "pause", "--where", "x"], "--where goes with revoke"),
        (["control", "revoke", "x", "--where", "x"], "--where goes with revoke"),
        (["move", "--to", "q"], "give --where"),
        (["purge", "-f", "--where", " "], "the query is empty"),
        (["move", "--where", "x"], "--to"),
        (["move", "--where", "x", "--to", "=x"], "="),
        (["retry", "--where", "x", "--rate", "often"], "often"),
        (["retry", "--where", "state:nobody"], "state"),
        (["retry", "--where", 'task:"x'], "quote"),
    ],
    ids=" ".join,
)
async def test_a_wrong_use_is_a_sentence_and_changes_nothing(
    cli: Cli, connection: JobsRedis, words: list[str], says: str
) -> None:
    waiting = await tasks.log.delay("x")

    answer = await cli(*words)

    assert (answer.code, answer.out) == (64, "")
    assert says in answer.err
    assert await waiting.state() == "PENDING"
    assert (await monitor.audit(connection)).rows == []
