"""The walk of `docs/from-arq.md`: a shop moves from arq with 1,000 jobs waiting, and back, and loses none."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import arq.worker
import pytest
from arq import cron, func
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job
from arq.worker import Retry
from redis.asyncio import Redis

from jobs import SettingsMistake, worker_settings
from settings import ROOT
from tests.documents import Page
from tests.waiting import wait_until

SHOP = ROOT / "examples" / "from_arq"
QUEUE = "shop:jobs"
PAGE = Page(ROOT / "docs" / "from-arq.md")
OPTIONS = ROOT / "docs" / "arq-options.md"
STOCK = next(cls for cls in (arq.worker.Worker, *arq.worker.Worker.__mro__) if cls.__module__ == "arq.worker")
"""Its own, also where ours stands in for it."""
LONG = [f"{kind}{n}" for kind, number in (("a", 14), ("b", 10)) for n in range(number)]
WEB = """
import asyncio, json, sys
from shop.web import app

async def main():
    async with app.test_app() as running:
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            answer = await running.test_client().open(line[1], method=line[0])
            print(json.dumps(await answer.get_json()), flush=True)

asyncio.run(main())
"""


class Shop:
    """A copy of the project, and its processes."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.environ = os.environ | {"REDIS_URL": redis_url, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        self.started: list[subprocess.Popen[str]] = []

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=50, **options
        )

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "ignore", *words]
        with (self.folder / f"{len(self.started)}.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environ, text=True, **{"stdout": log, "stderr": log, **options}
            )
        self.started.append(process)
        return process

    def worker(self, module: str) -> subprocess.Popen[str]:
        return self.start("-m", "arq", f"shop.{module}.WorkerSettings")

    def apply(self, diff: str) -> None:
        """What the page says to change."""
        _, name, *lines = re.split(r"^(?:--- (.+)\n)?", diff, maxsplit=1, flags=re.M)
        text = (self.folder / name).read_text()
        for old, new in re.findall(r"^-(.*\n)((?:^\+.*\n)*)", "".join(lines), re.M):
            assert text.count(old) >= 1, old
            text = text.replace(old, "".join(line[1:] for line in new.splitlines(keepends=True)))
        (self.folder / name).write_text(text)


class Web:
    """The shop's web server."""

    def __init__(self, shop: Shop) -> None:
        self._process = shop.start("-c", WEB, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    async def ask(self, method: str, path: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{method} {path}\n")
        self._process.stdin.flush()
        return json.loads(await asyncio.to_thread(self._process.stdout.readline))

    async def result(self, job_id: str) -> Any:
        return (await self.ask("GET", f"/jobs/{job_id}"))["result"]

    async def abort(self, job_id: str) -> bool:
        return bool((await self.ask("DELETE", f"/jobs/{job_id}"))["aborted"])


@pytest.fixture
def shop(tmp_path: Path, redis_url: str) -> Iterator[Shop]:
    shutil.copytree(SHOP / "before" / "shop", tmp_path / "shop")
    shutil.copytree(SHOP / "during" / "shop", tmp_path / "shop", dirs_exist_ok=True)
    shop = Shop(tmp_path, redis_url)
    yield shop
    for process in shop.started:
        process.kill()
        process.communicate()


@pytest.fixture
def orders(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The shop's classes in this process: they are pickled by their names."""
    monkeypatch.syspath_prepend(shop.folder)
    yield importlib.import_module("shop.orders")
    for name in ("shop", "shop.orders"):
        del sys.modules[name]


@pytest.fixture
async def pool(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A producer that nobody has changed."""
    settings = RedisSettings(unix_socket_path=redis_url.removeprefix("unix://"))
    pool = await create_pool(settings, default_queue_name=QUEUE)
    yield pool
    await pool.aclose()


async def enqueue_all(pool: ArqRedis, orders: ModuleType) -> dict[str, Any]:
    """1,000 jobs of every kind, with what each must come to."""
    expected: dict[str, Any] = {}

    async def call(job_id: str, answer: Any, function: str, *args: Any, **options: Any) -> None:
        assert await pool.enqueue_job(function, *args, _job_id=job_id, **options)
        expected[job_id] = answer

    for n in range(400):
        order = orders.Order(n)
        await call(f"receipt:{n}", orders.Receipt(order, "EUR"), "send_receipt", order, _expires=timedelta(hours=1))
        assert n % 50 or await pool.enqueue_job("send_receipt", order, _job_id=f"receipt:{n}") is None
    for n in range(400):
        later = {"_defer_until": datetime.now(UTC) + timedelta(seconds=1 + n % 4)} if n % 2 else {}
        await call(f"charge:{n}", 10.0, "charge", orders.Order(n, declines=n % 3), **later)
    for n in range(50):
        await call(f"declined:{n}", orders.CardDeclined(f"order {n}"), "charge", orders.Order(n, declines=-1))
    for n in range(50):
        await call(f"catalogue:{n}", 3, "import_catalogue", f"c{n % 25}", 3)
    for n in range(100):
        await call(f"export:{n}", "0.01 s of rows", "export", 0.01, _defer_by=n % 3)
    return expected


async def held(redis: Redis, kind: str = "") -> set[str]:
    """What stock workers run: arq's value is 1, ours are tokens."""
    keys = [key async for key in redis.scan_iter(f"arq:in-progress:{kind}*", count=1000)]
    values = await redis.mget(keys) if keys else []
    return {key.decode().split(":", 2)[2] for key, value in zip(keys, values, strict=True) if value == b"1"}


async def holds(redis: Redis, least: int) -> bool:
    return len(await held(redis, "long:")) >= least


async def counts(redis: Redis, key: str) -> dict[str, int]:
    return {job_id.decode(): int(n) for job_id, n in (await redis.hgetall(key)).items()}  # type: ignore[misc]  # its stub


async def has_done(redis: Redis, least: int) -> bool:
    return bool(await redis.hlen("shop:done") >= least)  # type: ignore[misc]  # its stub


async def is_empty(redis: Redis) -> bool:
    """Nothing waits but the next moment of the cron job."""
    return all(job_id.startswith(b"cron:") for job_id in await redis.zrange(QUEUE, 0, -1))


async def answer_of(job: Job) -> Any:
    try:
        return await job.result(timeout=20, poll_delay=0.05)
    except Exception as error:
        return error


async def assert_once(redis: Redis, expected: dict[str, Any]) -> None:
    """Each was done once; but what a stock worker was in when it was stopped may be done twice, as arq says."""
    done, starts = await counts(redis, "shop:done"), await counts(redis, "shop:starts")
    pages = {job_id for job_id in done if job_id.startswith("page:")}
    assert len(pages) == 75
    for job_id in {*expected, *pages}:
        number = int(job_id.rpartition(":")[2]) if job_id.startswith("charge:") else 0
        interrupted = starts[job_id] - (number % 3 + 1)
        assert 0 <= interrupted <= 1 + job_id.startswith("long:"), job_id
        wanted = {0} if job_id.startswith("declined") else {1, 2} if interrupted else {1}
        assert done.get(job_id, 0) in wanted, job_id
    moments = sorted(int(job_id.rpartition(":")[2]) for job_id in done if job_id.startswith("cron:"))
    assert moments == [*range(moments[0], moments[-1] + 1, 1000)]
    assert all(done[job_id] == 1 for job_id in done if job_id.startswith("cron:"))


async def assert_answers(pool: ArqRedis, expected: dict[str, Any]) -> None:
    for job_id, answer in expected.items():
        told = await answer_of(Job(job_id, pool, QUEUE, pool.job_deserializer))
        assert (type(told), str(told)) == (type(answer), str(answer)), job_id


async def test_the_worker_then_the_producers_then_back(
    redis: Redis, redis_url: str, pool: ArqRedis, shop: Shop, orders: ModuleType
) -> None:
    stock_web = Web(shop)
    for n in range(14):
        await pool.enqueue_job("export", 60, _job_id=f"long:a{n}")
    expected = await enqueue_all(pool, orders)

    # arq alone
    first = shop.worker("worker")
    await wait_until(lambda: holds(redis, 14), "the first worker to be at work", timeout_s=20)
    for n in range(10):
        await pool.enqueue_job("export", 60, _job_id=f"long:b{n}", _defer_by=timedelta(hours=-1))
    second = shop.worker("worker")
    await wait_until(lambda: holds(redis, 24), "the second worker to be at work", timeout_s=20)
    await wait_until(lambda: has_done(redis, 60), "some jobs to be done", timeout_s=20)

    # the worker is exchanged, one process after the other
    shop.worker("exchange")
    await wait_until(lambda: redis.exists("jobs:workers"), "our worker", timeout_s=20)
    first.send_signal(signal.SIGTERM)
    await asyncio.to_thread(first.wait)
    aborted = (await held(redis, "long:")).pop()
    assert await stock_web.abort(aborted) is True
    deferred = await stock_web.ask("POST", "/exports/60.0?wait=60")
    assert await stock_web.abort(deferred["job"]) is True
    second.kill()
    await asyncio.to_thread(second.wait)
    orphans = await held(redis)
    assert orphans
    await redis.delete(*(f"arq:in-progress:{job_id}" for job_id in orphans))  # arq waits for 70 s here
    expected |= {f"long:{name}": "60 s of rows" for name in LONG}
    del expected[aborted]
    await wait_until(lambda: is_empty(redis), "all to be done", timeout_s=30)

    await assert_once(redis, expected)
    await assert_answers(pool, expected)
    running = await stock_web.ask("POST", "/exports/60.0")
    await wait_until(lambda: redis.exists(f"arq:in-progress:{running['job']}"), "our worker to run it")
    assert await stock_web.abort(running["job"]) is True
    for module in ("worker", "exchange"):
        assert shop.run("-m", "arq", "--check", f"shop.{module}.WorkerSettings").returncode == 0


async def test_the_producers_then_the_tasks_and_back(
    redis: Redis, pool: ArqRedis, shop: Shop, orders: ModuleType
) -> None:
    """Old and new producers beside each other, each reading what was called by the other."""
    old_web = Web(shop)
    ours = shop.worker("exchange")
    for diff in PAGE.sections[3].fences("diff"):
        shop.apply(diff)
    new_web = Web(shop)
    both = (old_web, new_web)

    # the producers
    for n, web in enumerate(both):
        assert await web.ask("POST", f"/orders/{n}/receipt") == {"new": True}
        assert [await one.ask("POST", f"/orders/{n}/receipt") for one in both] == [{"new": False}] * 2
        paid = await web.ask("POST", f"/orders/{n}/charge?declines=1")
        for reader in both:
            assert await shown(reader, f"receipt:{n}") == f"Receipt(order={orders.Order(n)!r}, currency='EUR')"
            assert await shown(reader, paid["job"]) == "10.0"
        assert await web.ask("DELETE", f"/jobs/{paid['job']}") == {"aborted": False}
        exported = await web.ask("POST", "/exports/60.0")
        assert await both[1 - n].ask("DELETE", f"/jobs/{exported['job']}") == {"aborted": True}
    night = await asyncio.to_thread(shop.run, "-m", "shop.night", "8", "2")
    assert night.stdout.startswith("first charge 10.0\n"), night.stderr

    # back: stock workers run what waits, whoever called it
    waiting = [(await web.ask("POST", f"/exports/0.01?wait={n}"))["job"] for n in (0.5, 1) for web in both]
    ours.terminate()
    await asyncio.to_thread(ours.wait)
    stock = shop.worker("worker")
    assert [await shown(web, job_id) for job_id in waiting for web in both] == ["'0.01 s of rows'"] * 8
    stock.terminate()

    # and forth again, to the end
    late = [(await web.ask("POST", f"/orders/{n}/charge"))["job"] for n in (7, 8) for web in both]
    exported = await new_web.ask("POST", "/exports/0.01")
    shutil.copytree(SHOP / "after" / "shop", shop.folder / "shop", dirs_exist_ok=True)
    shop.worker("worker")
    last_web = Web(shop)
    paid = await last_web.ask("POST", "/orders/9/charge?declines=2")
    assert await shown(last_web, paid["job"]) == "10.0"
    assert await shown(new_web, exported["job"]) == "'0.01 s of rows'"
    await wait_until(lambda: redis.hget(f"jobs:job:{late[0]}", "unknown"), "the pickled call to be put back")
    running = await last_web.ask("POST", "/exports/60.0")
    await wait_until(lambda: redis.exists(f"arq:in-progress:{running['job']}"), "our worker to run it")
    assert await last_web.ask("DELETE", f"/jobs/{running['job']}") == {"was": "STARTED"}
    night = await asyncio.to_thread(shop.run, "-m", "shop.night", "8", "2")
    assert night.stdout == "first charge 10.0\n", night.stderr


async def shown(web: Web, job_id: str) -> str:
    """The result on the page of a job, once it has ended."""
    return str(await wait_until(lambda: web.result(job_id), f"the end of {job_id}", timeout_s=20))


def test_the_page_shows_the_files_of_the_shop() -> None:
    fences = [fence for section in PAGE.sections.values() for fence in section.fences("python")]
    assert len(fences) > 3
    for fence in fences:
        name, _, code = fence.partition("\n")
        files = [folder / name.removeprefix("# ") for folder in (SHOP / "during", SHOP / "after")]
        text = "".join(file.read_text() for file in files if file.exists())
        assert all(part.strip("\n") in text for part in code.split("\n\n\n")), fence


def test_the_page_names_no_command_that_does_not_exist() -> None:
    commands = [line for section in PAGE.sections.values() for line in re.findall(r"^\$ (.+)$", section.text, re.M)]
    for module, words in (line.removeprefix("python -m ").split(maxsplit=1) for line in commands):
        ended = subprocess.run([sys.executable, "-m", module, *words.split(), "--help"], capture_output=True, cwd=ROOT)
        assert ended.returncode == 0


def test_the_table_has_each_option_and_method_of_arq() -> None:
    found = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", OPTIONS.read_text(), re.M | re.S))
    names = {title: set(re.findall(r"\b\w+\b", " ".join(columns(text, 0)))) for title, text in found.items()}
    known = {thing.__name__: parameters(thing) for thing in (func, cron, create_pool, RedisSettings)}
    known |= {"Worker": parameters(STOCK) | public(STOCK), "Retry": parameters(Retry)}
    known["ArqRedis"] = (
        parameters(ArqRedis) | public(ArqRedis) - {"enqueue_job"} | {*signature(ArqRedis.queued_jobs).parameters}
    )
    known["enqueue_job"] = {*signature(ArqRedis.enqueue_job).parameters}
    methods = public(Job) - {"job_id"}
    known["Job"] = parameters(Job) | methods
    known["Job"] |= {name for method in methods for name in signature(getattr(Job, method)).parameters}

    assert names == {title: those - {"self"} for title, those in known.items()}


def test_what_the_table_says_of_an_option_is_so() -> None:
    [table] = re.findall(r"^## Worker\n(.*?)^Methods", OPTIONS.read_text(), re.M | re.S)
    rows = dict(zip(columns(table, 0), columns(table, 1), strict=True))
    assert {*rows.values()} == {"alike", "differs", "refused"}
    for name, default in ((name.strip("`"), signature(STOCK).parameters[name.strip("`")].default) for name in rows):
        value = {"redis_settings": RedisSettings(), "redis_pool": object(), "queue_read_limit": 5}.get(name, default)
        options = {} if value in (None, ()) else {name: value}
        if name == "allow_abort_jobs" or rows[f"`{name}`"] == "refused":
            with pytest.raises(SettingsMistake):
                worker_settings(redis_url="redis://localhost", **options)
        else:
            worker_settings(redis_url="redis://localhost", **options)


def columns(text: str, number: int) -> list[str]:
    rows = [row.split("|") for row in re.findall(r"^\|(.*)\|$", text, re.M)]
    return [row[number].strip() for row in rows if row[0].strip() not in ("Name", "---")]


def parameters(thing: Any) -> set[str]:
    return {*signature(thing.__init__ if isinstance(thing, type) else thing).parameters}


def public(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}
