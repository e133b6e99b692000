"""A user with the rights that docs/redis.md lists, one without channels, and those that Redis does not let in."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from jobs import QueueUnavailable, Result, chain, connect, first, group, monitor
from jobs.client.connection import JobsRedis
from jobs.monitor import events
from tests.jobs.commands.conftest import run_command
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import ROOT, WorkerProcess
from tests.jobs.worker.questions import questions
from tests.redis_server import RedisServer
from tests.waiting import wait_until

ACL = re.findall(r"```redis\nuser (.+)\n```", (ROOT / "docs/redis.md").read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture
async def operator(server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as redis:
        await redis.flushall()
        yield redis


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Start a worker process at an address; it is killed at the end."""
    started: list[WorkerProcess] = []

    def worker(url: str, **environ: str) -> WorkerProcess:
        started.append(WorkerProcess(url, tmp_path / f"{len(started)}.log", **environ))
        return started[-1]

    yield worker
    for one in started:
        one.process.kill()
        one.process.wait()


async def user(operator: Redis, server: RedisServer, *changes: str) -> str:
    """Make the user of the page, with these changes; returns its address."""
    [rights] = ACL
    name, *words = rights.split()
    await operator.execute_command("ACL", "SETUSER", name, "reset", *words, *changes)
    await operator.execute_command("ACL", "LOG", "RESET")
    return f"unix://{name}:change-me@{server.socket}"


async def test_the_rights_of_the_page_are_enough_for_everything(
    server: RedisServer, operator: Redis, start: Any
) -> None:
    url = await user(operator, server)
    start(url, TICK='[0.3, ["/dev/null"]]', LEASE_RENEWAL="0.5")
    async with connect(url) as redis:
        assert await chain(tasks.multiply.s(2, 3), tasks.log.s()).delay() is not None
        flow = await (group(tasks.multiply.s(n, n) for n in range(3)) | tasks.log.s()).delay()
        assert await flow.get(timeout=20) == [0, 1, 4]
        assert [result.id async for result in flow.as_completed()]
        assert await (await tasks.flaky.delay(1)).get(timeout=10) == 1
        assert await first([await tasks.multiply.delay(1, 1), await tasks.nap.delay(60)]) == 1
        running = await tasks.nap.delay(60)
        await wait_until(lambda: _is(running, "STARTED"), "it to run")
        await running.revoke(terminate=True)
        with pytest.raises(monitor.QuarqError):
            await running.get(timeout=10)
        heard = asyncio.ensure_future(anext(events(redis)))
        waiting = await tasks.multiply.apply_async((1, 1), countdown=3600)
        assert await asyncio.wait_for(heard, 10)
        await wait_until(lambda: _has_run(redis), "a schedule to fire")
        asked = dict(questions(redis, flow, waiting, flow))
        asked.pop("all_job_results").close()  # type: ignore[attr-defined]  # arq's own asks for every key, says the page
        await asyncio.gather(*asked.values(), return_exceptions=True)
        for words in ("status", "inspect active", "inspect stats", "inspect queued", "schedules", "workflows",
                      f"result {flow.id}", f"why {waiting.id}", "control pause default", "control resume default",
                      "purge -f", "events -t 1"):  # fmt: skip
            answer = await asyncio.to_thread(run_command, ["--redis-url", url, *words.split()])
            assert answer.code in (0, 1), (words, answer.err)
    refused = await operator.execute_command("ACL", "LOG")
    assert [(entry[b"reason"], entry[b"object"]) for entry in map(_fields, refused)
            if entry[b"object"] not in (b"keys", b"config|get")] == []  # fmt: skip


def _fields(entry: Any) -> dict[bytes, Any]:
    return entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True))


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state


async def _has_run(redis: JobsRedis) -> bool:
    return any(schedule.last_run for schedule in await monitor.schedules(redis))


async def test_a_user_without_channels_looks_instead_and_says_so_once(
    server: RedisServer, operator: Redis, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Every wait that is ended by a message: a result, progress, members, a workflow, the words to a worker, events."""
    url = await user(operator, server, "resetchannels")
    worker = start(url, LEASE_RENEWAL="0.5")
    async with connect(url) as redis:
        slow = await tasks.nap.delay(0.5)
        flow = await (group(tasks.multiply.s(n, n) for n in range(3)) | tasks.log.s()).delay()
        progress = asyncio.ensure_future(_all(slow.progress()))
        ended = asyncio.ensure_future(_all(flow.as_completed()))
        assert await slow.get(timeout=20) == "rested"
        assert await flow.get(timeout=20) == [0, 1, 4]
        assert await asyncio.wait_for(progress, 10) == []
        assert len(await asyncio.wait_for(ended, 10)) == 4
        running = await tasks.nap.delay(60)
        await wait_until(lambda: _is(running, "STARTED"), "it to run")
        await running.revoke(terminate=True)
        with pytest.raises(monitor.QuarqError):
            await running.get(timeout=20)
        assert [found.name for found in await monitor.workers(redis)]
        with pytest.raises(QueueUnavailable, match="its access list forbids it"):
            await asyncio.wait_for(_all(events(redis)), 10)
    said = [record.message for record in caplog.records if "cannot listen on jobs:reply" in record.message]
    assert len(said) == 1
    assert worker.text.count("cannot listen on jobs:control:") == 1
    assert "Traceback" not in worker.text


async def _all(things: AsyncIterator[Any]) -> list[Any]:
    return [thing async for thing in things]


@pytest.fixture
async def addresses(server: RedisServer, operator: Redis, tmp_path: Path) -> AsyncIterator[dict[str, tuple[str, str]]]:
    """Addresses where nobody is let in, each with what has to be said."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", key, "-out", cert], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    secure = await asyncio.start_server(_say_hello, "127.0.0.1", 0, ssl=context)
    plain = await asyncio.start_server(_say_hello, "127.0.0.1", 0)
    tls, port = (listening.sockets[0].getsockname()[1] for listening in (secure, plain))
    rights = await user(operator, server, "-evalsha")
    await operator.execute_command("ACL", "SETUSER", "nobody", "on", ">hush", "~*", "-@all")
    await operator.execute_command("ACL", "SETUSER", "default", "resetpass")
    yield {
        "no password": (server.url, "needs a password"),
        "wrong password": (f"unix://quarq:hush@{server.socket}", "the user or the password in the address is wrong"),
        "unknown user": (f"unix://hush:hush@{server.socket}", "the user or the password in the address is wrong"),
        "no rights": (f"unix://nobody:hush@{server.socket}", "its access list forbids it"),
        "no scripts": (rights, "its access list forbids it"),
        "no such database": (f"{rights}?db=99", "no database of the number"),
        "TLS to a plain port": (f"rediss://:hush@127.0.0.1:{port}", "asks for TLS"),
        "an unknown certificate": (f"rediss://:hush@127.0.0.1:{tls}", "certificate is not trusted"),
        "no Redis": (f"redis://127.0.0.1:{port}", "what answers there is no Redis"),
    }
    await operator.execute_command("ACL", "SETUSER", "default", "nopass")
    for listening in (secure, plain):
        listening.close()


async def _say_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.write(b"220 mail.example.org\r\n")
        await reader.read(1000)
        writer.close()


async def test_who_is_not_let_in_reads_why_at_once(addresses: dict[str, tuple[str, str]]) -> None:
    for what, (url, why) in addresses.items():
        async with connect(url) as redis:
            for asked in (tasks.multiply.delay(1, 1), Result("x").state(), Result("x").info(), Result("x").get()):
                with pytest.raises(QueueUnavailable, match=why) as refused:
                    await asyncio.wait_for(asked, 3)
                assert "hush" not in "".join(traceback.format_exception(refused.value)), what
            with pytest.raises(QueueUnavailable, match=why):
                await asyncio.wait_for(redis.get("x"), 3)
        answer = await asyncio.to_thread(run_command, ["--redis-url", url, "result", "x"])
        assert (answer.code, bool(re.search(why, answer.err))) == (69, True), (what, answer.err)
        assert "hush" not in answer.err


async def test_a_worker_that_is_not_let_in_says_why_once_and_works_when_it_is(
    server: RedisServer, operator: Redis, addresses: dict[str, tuple[str, str]], start: Any
) -> None:
    some = ("no password", "wrong password", "no scripts", "no such database")
    workers = {what: start(addresses[what][0], LEASE_RENEWAL="0.5") for what in some}
    for what, worker in workers.items():
        said = addresses[what][1]
        await wait_until(lambda w=worker, s=said: s in w.text, f"{what}: {worker.text}", timeout_s=20)

    await operator.execute_command("ACL", "SETUSER", "quarq", "+evalsha")
    await wait_until(lambda: "claim" in workers["no scripts"].text or "can start again" in workers["no scripts"].text,
                     "it to be let in")  # fmt: skip
    async with connect(addresses["no scripts"][0]):
        assert await (await tasks.multiply.delay(2, 3)).get(timeout=10) == 6

    for what, worker in workers.items():
        text = worker.text
        assert worker.process.poll() is None, text
        assert "hush" not in text
        assert "Traceback" not in text, text
        if what != "no scripts":
            assert text.count("will keep trying") == 1, text
