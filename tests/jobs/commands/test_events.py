"""`events`: lines of JSON as things happen, until somebody has enough."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys

from jobs.client.connection import JobsRedis
from jobs.monitor_site.model.event_stream import events
from jobs.store.keys import Keys
from tests.jobs.commands.conftest import Cli, StartOnline
from tests.jobs.commands.listening import Listener
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import ROOT
from tests.waiting import wait_until


async def test_what_happens_is_told(listener: Listener, start_online: StartOnline) -> None:
    worker = await start_online()
    good, bad, waits = await tasks.log.delay("早上"), await tasks.fail.delay(), await tasks.patient.delay()
    revoked = await tasks.log.apply_async(("x",), countdown=60)
    await revoked.revoke()

    for job, state in ((good, "SUCCESS"), (bad, "FAILURE"), (waits, "RETRY"), (revoked, "REVOKED")):
        await wait_until(lambda: listener.has(id=job.id, state=state), f"{state} to be told")  # noqa: B023
    states = [event["state"] for event in listener.events if event["id"] == good.id]
    assert states == ["PENDING", "STARTED", "SUCCESS"]
    await wait_until(lambda: listener.has(kind="worker", state="online"), "the worker to be told of")
    worker.process.terminate()
    await wait_until(lambda: listener.has(kind="worker", state="offline"), "its end to be told")
    assert "早上" not in listener.log.read_text()
    assert {"at", "kind", "id", "state", "task", "queue", "worker"} == set(
        next(event for event in listener.events if event["state"] == "SUCCESS")
    )


async def test_it_ends_well_on_ctrl_c(listener: Listener) -> None:
    listener.process.send_signal(signal.SIGINT)

    assert await asyncio.to_thread(listener.process.wait, 10) == 0
    assert listener.log.with_suffix(".err").read_text() == ""


async def test_it_ends_when_nobody_reads_any_more(redis_url: str, start_online: StartOnline) -> None:
    await start_online()
    command = f"{sys.executable} -m jobs --redis-url {redis_url} events | head -1"
    done = await asyncio.to_thread(
        subprocess.Popen, ["bash", "-o", "pipefail", "-c", command], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip

    async def ended() -> bool:  # each line that nobody reads lets it see that
        await tasks.log.delay("x")
        return done.poll() is not None

    try:
        await wait_until(ended, "the pipe to end", timeout_s=40)
    finally:
        with contextlib.suppress(ProcessLookupError):  # both have ended
            os.killpg(done.pid, signal.SIGKILL)
        out, err = done.communicate()
    assert json.loads(out)["state"]
    assert (done.returncode, err) == (0, "")


async def test_it_listens_as_long_as_it_is_told_to(cli: Cli, start_online: StartOnline) -> None:
    await start_online()

    said = await cli("events", "-t", "0.5", "--json")

    assert said.code == 0
    assert [json.loads(line)["state"] for line in said.lines] == ["online"]
    assert (await cli("events", "-t", "0.5", "-d", "nobody")).lines == []


async def test_nothing_is_told_while_nobody_listens(connection: JobsRedis) -> None:
    pubsub = connection.pubsub()
    await pubsub.subscribe(Keys.EVENTS)
    await pubsub.get_message(timeout=5)

    await tasks.log.delay("unheard")
    await connection.set(Keys.LISTENING, 1, ex=60)
    await tasks.log.delay("heard")

    first = await pubsub.get_message(timeout=5)
    assert first is not None
    assert len(connection.loads(first["data"])[1]) == 1
    assert await pubsub.get_message(timeout=0.1) is None
    await pubsub.aclose()
    await connection.delete(Keys.LISTENING)


async def test_listening_ends_whenever_it_is_told_to(redis_url: str) -> None:
    """A cancellation that meets a time-out of redis-py is lost: one is not enough."""
    connection = JobsRedis.at(redis_url)

    async def listen(for_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s), contextlib.aclosing(events(connection)) as happens:
                async for _ in happens:
                    pass

    for number in range(80):
        listening = asyncio.create_task(listen(number % 20 / 1000))
        ended, _ = await asyncio.wait([listening], timeout=20)
        assert ended, f"listening did not end when told to after {number % 20} ms"
    await connection.aclose()
