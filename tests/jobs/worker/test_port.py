"""The port of a worker: what it answers in each state, also when the loop, Redis or its clients misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from arq.worker import create_worker

from jobs import SettingsMistake, connect, monitor, worker_settings
from jobs.client.connection import JobsRedis
from jobs.contrib.port import MOST_BYTES, MOST_CONNECTIONS, MOST_QUESTIONS, SILENT_S
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartProcess, StartWorker, WorkerProcess
from tests.metric_names import OF_A_PROCESS, OF_JOBS, families
from tests.redis_server import RedisServer
from tests.waiting import wait_until


async def sent(port: int, request: bytes) -> str:
    """All that the port sends back. It does so by itself, before it takes the client for silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.closing(writer):
        writer.write(request)
        async with asyncio.timeout(SILENT_S - 0.5):
            return (await reader.read()).decode()


async def ask(port: int, target: str, method: str = "GET") -> tuple[int, str]:
    """Status and text."""
    head, _, text = (await sent(port, f"{method} {target} HTTP/1.1\r\nHost: worker\r\n\r\n".encode())).partition(
        "\r\n\r\n"
    )
    return int(head.split()[1]), text


async def wait_for(port: int, path: str, status: int, part: str = "", timeout_s: float = 15) -> str:
    """The text of the first answer that has this status and part."""
    latest: list[object] = []

    async def answers() -> str | None:
        latest[:] = []
        with contextlib.suppress(ConnectionError):
            latest[:] = await ask(port, path)
        return str(latest[1]) if latest and latest[0] == status and part in str(latest[1]) else None

    try:
        return str(await wait_until(answers, f"{path} to answer {status}", timeout_s=timeout_s))
    except AssertionError as error:
        raise AssertionError(f"{error}; it answers {latest}") from None


@pytest.fixture
def port() -> int:
    """One that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def options(port: int) -> dict[str, Any]:
    return {"health": f"127.0.0.1:{port}"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of this test's own, not started yet."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


async def test_a_worker_says_from_its_start_to_its_end_whether_it_lives_and_takes_jobs(
    server: RedisServer, port: int, options: dict[str, Any], tmp_path: Path
) -> None:
    worker = WorkerProcess(server.url, tmp_path / "log", OPTIONS=json.dumps(options), COMPLETION_WAIT="20")
    try:
        await wait_for(port, "/healthz", 200, "ok")
        await wait_for(port, "/readyz", 503, "has not started")
        server.start()
        await wait_for(port, "/readyz", 200, "ready")

        server.kill9()
        await wait_for(port, "/readyz", 503, "Redis does not answer")
        answers = await asyncio.gather(*(ask(port, path) for path in ("/healthz", "/metrics", "/scale")))
        assert [status for status, _ in answers] == [200, 503, 503]
        server.start()
        await wait_for(port, "/readyz", 200, "ready")

        async with connect(server.url) as connection:
            await _blocked_loop(port, tmp_path / "go on")
            last = await tasks.wait_until_there.delay(str(tmp_path / "end"))
            await wait_until(lambda: _is_started(last), "the last job to start")
            [found] = await monitor.workers(connection)
            await monitor.quiet(connection, found.name)
            await wait_for(port, "/readyz", 503, "is quiet, as an operator asked")
            worker.process.send_signal(signal.SIGTERM)
            await wait_for(port, "/readyz", 503, "is stopping")
            assert (await ask(port, "/healthz"))[0] == 200
            (tmp_path / "end").touch()
            assert await worker.wait_until_ended() == 0
            assert await last.state() == "SUCCESS"
        assert "GET" not in worker.text
        assert "Traceback" not in worker.text
    finally:
        worker.process.kill()
        worker.process.wait()


async def _blocked_loop(port: int, until: Path) -> None:
    blocking = await tasks.block_until.delay(str(until))
    try:
        text = await wait_for(port, "/healthz", 503)
        assert text.startswith("the event loop is blocked, since ")
        for path in "/readyz", "/metrics", "/scale":
            assert (await ask(port, path))[1].startswith("the event loop is blocked, since ")
    finally:
        until.touch()
    await wait_for(port, "/healthz", 200)
    await blocking.get(timeout=10)


async def _is_started(result: Any) -> bool:
    return bool(await result.state() == "STARTED")


async def test_without_the_option_nothing_listens_and_nothing_of_it_is_imported(
    connection: JobsRedis, start_process: StartProcess
) -> None:
    worker = await start_process()

    loaded = await (await tasks.loaded.delay()).get(timeout=10)

    assert "jobs.worker.engine" in loaded
    assert "lease-renewer" in loaded
    assert {"http.server", "prometheus_client", "port"} & set(loaded) == set()
    # `tests.limited` has a time limit
    assert [name for name in loaded if name.startswith("jobs.contrib")] == ["jobs.contrib", "jobs.contrib.time_limits"]
    assert worker.process.poll() is None


async def test_metrics_are_those_of_the_site_and_of_this_process(
    connection: JobsRedis, start_worker: StartWorker, port: int, options: dict[str, Any]
) -> None:
    await start_worker(**options, max_jobs=7, queues=["default", "mail"])
    await (await tasks.multiply.delay(2, 3)).get(timeout=10)
    await wait_until(lambda: connection.hlen(connection.key.TOTALS), "the counters")
    schedule = {"next": 1_700_000_000_000, "last_run": 1_700_000_000_000}
    await connection.hset(f"{connection.key.SCHEDULE}tick", mapping=schedule)
    await connection.sadd(connection.key.SCHEDULES, "tick")
    await connection.hset(connection.key.LIMITS, "tests.paced|holders", "1")
    await connection.zadd(f"{connection.key.BLOCKED}tests.paced", {"waits": 1})
    own = prometheus_client.Counter("port_test_orders", "Of the application.")
    own.inc(3)

    status, text = await ask(port, "/metrics")

    prometheus_client.REGISTRY.unregister(own)
    assert status == 200
    text, comment, theirs = text.partition("# HELP python_gc_objects_collected_total ")
    assert comment
    assert "\nport_test_orders_total 3.0\n" in theirs
    assert "\nprocess_resident_memory_bytes " in theirs
    assert families(text) == OF_JOBS | OF_A_PROCESS
    for sample in (
        'quarq_jobs_finished_total{outcome="success",task="tests.multiply"} 1.0',
        'quarq_process_attempts_total{outcome="success"} 1.0',
        "quarq_process_jobs_started_total 1.0",
        "quarq_process_slots 7.0",
        "quarq_process_slots_busy 0.0",
        'quarq_workers{queue="mail"} 1.0',
    ):
        assert f"\n{sample}\n" in text


async def test_metrics_without_their_package_say_what_to_install(
    connection: JobsRedis,
    start_worker: StartWorker,
    port: int,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    await start_worker(**options)

    assert await ask(port, "/metrics") == (501, "metrics need prometheus_client: pip install prometheus-client\n")
    assert (await ask(port, "/readyz"))[0] == 200


async def test_scale_counts_what_is_due_and_what_runs(
    connection: JobsRedis, start_worker: StartWorker, port: int, options: dict[str, Any]
) -> None:
    await start_worker(**options, max_jobs=2, lease_renewal=0.1, queues=["default", "mail"])
    for _ in range(5):
        await tasks.nap.delay(60)
    await tasks.nap.apply_async((1,), countdown=600)
    await tasks.nap.apply_async((1,), queue="other")
    mail = {"queue": "mail", "due": 0, "running": 0, "scheduled": 0, "slots": 2, "busy": 2, "value": 0}
    default = {"queue": "default", "due": 3, "running": 2, "scheduled": 1, "slots": 2, "busy": 2, "value": 5}
    expected = {
        "/scale?queue=default": default,
        "/scale?queue=mail": mail,
        "/scale": default | {"queue": "default,mail"},
        "/scale?queue=default&queue=mail&queue=default": default | {"queue": "default,mail"},
        "/scale?queue=other": mail | {"queue": "other", "due": 1, "slots": 0, "busy": 0, "value": 1},
        "/scale?queue=nobody%20knows": mail | {"queue": "nobody knows", "slots": 0, "busy": 0},
    }

    async def found() -> dict[str, Any]:
        return {target: json.loads((await ask(port, target))[1]) for target in expected}

    async def as_expected() -> bool:
        return await found() == expected

    try:
        await wait_until(as_expected, "the figures")
    except AssertionError:
        assert await found() == expected
    await monitor.pause(connection, "default")
    await wait_for(port, "/scale?queue=default", 200, '"due": 3, "running": 2')
    await wait_for(port, "/scale?queue=default", 200, '"value": 2')


WRONG = {
    "queue=": "printable characters",
    "queue=a,b": "without a comma",
    f"queue={'x' * 513}": "512 printable characters",
    "queue=%0a": "printable characters",
    "queue=%ff%00": "printable characters",
    "queues=mail": "ask /scale?queue=NAME",
    "&".join(f"queue={n}" for n in range(21)): "Max number of fields exceeded",
}


async def test_a_query_that_names_no_queue_is_refused(
    connection: JobsRedis, start_worker: StartWorker, port: int, options: dict[str, Any]
) -> None:
    await start_worker(**options)

    for query, why in WRONG.items():
        status, text = await ask(port, f"/scale?{query}")
        assert (status, text.count("\n")) == (400, 1), query
        assert why in text
        assert text[:-1].isprintable()


async def test_requests_that_are_odd_or_slow_do_no_harm(
    connection: JobsRedis,
    start_worker: StartWorker,
    port: int,
    options: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    await start_worker(**options)
    caplog.clear()
    long = b"x" * (MOST_BYTES * 4)

    assert (await ask(port, "/"))[0] == 404
    assert (await ask(port, "/metrics/"))[0] == 404
    for target in f"http://127.0.0.1:{port}/healthz", "HTTP://worker/readyz?x=http://other/", "https://w/scale?queue=q":
        assert (await ask(port, target))[0] == 200
    assert (await ask(port, "http://worker"))[0] == 404
    assert await ask(port, "/healthz", "HEAD") == (200, "")
    assert await ask(port, "/healthz", "POST") == (501, "Unsupported method ('POST')\n")
    assert "Python" not in await sent(port, b"POST / HTTP/1.1\r\n\r\n")
    assert (await ask(port, "/readyz?" + "a" * 100))[0] == 200
    assert await sent(port, b"GET /healthz\n\n") == "ok\n"  # HTTP/0.9
    for request in b"\0\xff\r\n\r\n", b"GET\r\n\r\n", b"GET " + long, b"GET /healthz HTTP/1.1\r\nA: " + long:
        with contextlib.suppress(ConnectionError):
            assert "Traceback" not in await sent(port, request)
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2 * MOST_CONNECTIONS)]
    for _, writer in slow:
        writer.write(b"GET /heal")

    # those that were slow are ended, before they are by themselves
    await wait_for(port, "/healthz", 200, timeout_s=SILENT_S / 2)
    together = await asyncio.gather(*(ask(port, "/readyz") for _ in range(8)))
    assert [status for status, _ in together] == [200] * len(together)
    assert sum(thread.name.startswith("Thread-") for thread in threading.enumerate()) <= MOST_CONNECTIONS + 10
    for _, writer in slow:
        writer.close()
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
    assert capfd.readouterr() == ("", "")


async def test_many_who_ask_cost_one_look(
    connection: JobsRedis, start_worker: StartWorker, port: int, options: dict[str, Any]
) -> None:
    """Whatever their queries are."""
    await start_worker(**options)

    async def calls(command: str) -> int:
        """How often Redis was asked: for its memory by metrics alone, for lengths of queues by /scale."""
        found = await connection.info("commandstats")
        return int(found.get(f"cmdstat_{command}", {"calls": 0})["calls"])

    before = await calls("info")
    await ask(port, "/metrics")
    one = await calls("info") - before
    await asyncio.gather(*(ask(port, f"/metrics?{n}") for n in range(40)))

    assert await calls("info") - before <= 2 * one + 2
    same = [f"/scale?queue=b&queue=%6{n}&queue=a" for n in (1, 2)] * 5 + ["/scale?queue=a&queue=b"] * 5
    assert len({text for _, text in await asyncio.gather(*(ask(port, target) for target in same))}) == 1
    made_up = [await ask(port, f"/scale?queue=made-up-{n}") for n in range(2 * MOST_QUESTIONS)]
    refused = (503, f"more than {MOST_QUESTIONS} different questions in a second: ask again\n")
    assert {answer for answer in made_up if answer[0] != 200} == {refused}
    assert (await ask(port, "/readyz"))[0] == 200


async def test_nobody_of_500_at_once_is_cut_off(
    connection: JobsRedis, start_worker: StartWorker, port: int, options: dict[str, Any]
) -> None:
    await start_worker(**options)
    request = b"GET /readyz HTTP/1.1\r\n\r\n"

    answers = await asyncio.gather(*(sent(port, request) for _ in range(500)))

    statuses = Counter(int(answer.split()[1]) for answer in answers)
    assert statuses.keys() <= {200, 503}
    assert statuses[200] >= MOST_CONNECTIONS
    assert all("\r\nRetry-After: 1\r\n" in answer for answer in answers if " 503 " in answer)


async def test_a_port_that_is_in_use_refuses_the_start(
    redis_url: str, connection: JobsRedis, start_worker: StartWorker, options: dict[str, Any]
) -> None:
    await start_worker(**options)
    second = create_worker(worker_settings(redis_url=redis_url, handle_signals=False, **options))

    with pytest.raises(SettingsMistake, match="in use; each worker process of a host needs a port of its own"):
        await second.main()
    await second.close()


@pytest.mark.parametrize("host", ["..", ".", "a" * 70])
async def test_what_is_no_host_is_a_mistake(redis_url: str, host: str) -> None:
    worker = create_worker(worker_settings(redis_url=redis_url, handle_signals=False, health=f"{host}:9101"))

    with pytest.raises(SettingsMistake, match="is no name of a host, nor an address"):
        await worker.main()
    await worker.close()


async def test_no_question_to_redis_outlives_the_worker(
    server: RedisServer, port: int, options: dict[str, Any]
) -> None:
    worker = create_worker(worker_settings(redis_url=server.url, handle_signals=False, **options))
    running = asyncio.create_task(worker.main())
    await wait_for(port, "/readyz", 503, "it waits for Redis")
    before = asyncio.all_tasks()
    asked = asyncio.create_task(ask(port, "/scale"))
    await wait_until(lambda: len(asyncio.all_tasks() - before) > 1, "the question")

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await worker.close()

    assert asyncio.all_tasks() - before <= {asked}
    with contextlib.suppress(ConnectionError, IndexError):  # it may get no answer
        await asked


async def test_the_port_is_free_when_the_worker_has_ended(
    redis_url: str, connection: JobsRedis, port: int, options: dict[str, Any]
) -> None:
    for _ in range(2):
        worker = create_worker(worker_settings(redis_url=redis_url, burst=True, handle_signals=False, **options))
        await worker.main()
        await worker.close()
    with pytest.raises(ConnectionRefusedError):
        await ask(port, "/healthz")
