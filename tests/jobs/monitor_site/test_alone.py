"""`python -m jobs monitor`: one link, one browser, every page, for the Redis of somebody who has only the library."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from playwright.async_api import Browser, expect
from quart import Quart

from jobs import connect, group, monitor, monitor_app, monitor_site
from jobs.client.connection import JobsRedis
from jobs.client.decorator import signature
from jobs.monitor_site.alone import behind_door
from jobs.monitor_site.options import Options
from settings import ROOT
from tests.app.browsing import problems, tab
from tests.app.marks import Marks
from tests.app.running_site import free_port
from tests.app.visitor import TOKEN
from tests.browser import browser
from tests.documents import worker_of
from tests.jobs.commands.conftest import run_command
from tests.jobs.monitor_site.compiled import compiled
from tests.jobs.monitor_site.serving import serving
from tests.waiting import wait_until

__all__ = ["browser"]


@pytest.fixture
def worker(tmp_path: Path, redis_url: str) -> Iterator[None]:
    """A worker of the quickstart, as a user of the library starts it."""
    with worker_of("examples.quickstart", tmp_path, redis_url):
        yield


class Alone:
    """The process, and the browser of the person who started it."""

    def __init__(self, folder: Path, redis_url: str, *options: str) -> None:
        self._output = folder / "monitor.log"
        port = str(free_port())
        self.url = f"http://127.0.0.1:{port}"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jobs", "--redis-url", redis_url, "monitor", "--port", port, *options],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
            )
        self.browser = httpx.AsyncClient(base_url=self.url, timeout=10)

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def link(self) -> str:
        [link] = re.findall(r"http://\S+/sign-in/\S+", self.output)
        return str(link)

    async def answers(self) -> bool:
        try:
            return (await self.browser.get("/sign-in")).status_code == 200
        except httpx.TransportError:
            return False


async def sign_in(link: str, browser: httpx.AsyncClient) -> int:
    """Open the link, press the button. The status of the answer."""
    page = await browser.get(link)
    if page.status_code != 200:
        return page.status_code
    [token] = TOKEN.findall(page.text)[:1]
    form = {"csrf_token": token, "timezone": "Asia/Tokyo"}
    return (await browser.post(link, data=form)).status_code


class Opened(NamedTuple):
    """A monitor alone, its link, and the browser of the person who started it."""

    url: str
    link: str
    browser: httpx.AsyncClient


@pytest.fixture
async def alone(redis_url: str) -> AsyncIterator[Opened]:
    async with opened(redis_url) as alone:
        yield alone


@asynccontextmanager
async def opened(redis_url: str) -> AsyncIterator[Opened]:
    """The same application, served by this process."""
    redis = JobsRedis.at(redis_url)
    app = compiled(behind_door(Options(redis, title="Quarq monitor"), "127.0.0.1", free_port()))
    async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=10) as browser:
        yield Opened(url, f"{url}/sign-in/{app.extensions['door'].link}", browser)
    await redis.aclose()


@asynccontextmanager
async def running(folder: Path, redis_url: str) -> AsyncIterator[Alone]:
    """The monitor, once it answers, until the block ends."""
    alone = Alone(folder, redis_url)
    try:
        await wait_until(alone.answers, "the monitor to answer", timeout_s=30)
        yield alone
    finally:
        alone.process.terminate()
        await wait_until(lambda: alone.process.poll() is not None, "the monitor to end", timeout_s=20)
        await alone.browser.aclose()
    assert alone.process.returncode == 0, alone.output


def paths(app: Quart) -> list[str]:
    """Every page of the monitor."""
    rules = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("monitor.") and "GET" in (rule.methods or ()) and not rule.arguments
    ]
    return [rule.rule for rule in rules]


@pytest.mark.timeout(90)
@pytest.mark.usefixtures("worker")
async def test_every_page_opens_for_the_one_who_has_the_link(redis_url: str, tmp_path: Path) -> None:
    async with running(tmp_path, redis_url) as alone:
        await every_page_opens(alone, redis_url, tmp_path)


async def every_page_opens(alone: Alone, redis_url: str, tmp_path: Path) -> None:
    before = set((ROOT / "var").rglob("*"))
    multiply = signature("quickstart.multiply")
    async with connect(redis_url) as redis:
        job = await multiply.delay(4, 4)
        members = await group(multiply.clone((i, i)) for i in range(3)).delay()
        await members.get(timeout=20)
        [worker] = await monitor.workers(redis)
        plan = await monitor_site.plan(redis, "revoke", [job.id])

    assert (await alone.browser.get("/")).headers["location"] == "/sign-in"
    assert (await alone.browser.get("/api/v1/workers")).status_code == 404  # a program is sent nowhere
    assert await sign_in(alone.link, alone.browser) == 303
    assert (await alone.browser.get("/api/v1/workers")).json()["rows"][0]["name"] == worker.name
    opened = 0
    for path in paths(monitor_app(redis_url)):
        endpoint = path.rpartition("/")[2]
        if path in (
            "/schedule/run",
            "/schedule/backfill",
            "/error",
            "/scheduled",
        ):  # there is none, or it leads elsewhere
            continue
        known = {"job": {"id": job.id}, "workflow": {"id": members.id}, "worker": {"name": worker.name}}
        known |= {"ask": {"what": "pause", "name": "default"}, "edit": {"id": job.id}, "plan": {"id": plan.id}}
        values = known.get(endpoint, {"name": "default" if endpoint == "purge" else "quickstart.multiply"})
        page = await alone.browser.get(path, params=values)
        assert page.status_code == 200, (path, page.text)
        opened += 1

    assert opened >= 12
    assert "quickstart.multiply" in (await alone.browser.get("/jobs")).text
    assert "16" in (await alone.browser.get("/job", params={"id": job.id})).text
    assert set((ROOT / "var").rglob("*")) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"monitor.log", "worker.log"}
    assert "Traceback" not in alone.output


async def test_the_link_works_once_and_signing_out_ends_it(alone: Opened) -> None:
    for _ in range(2):  # to open it is not to use it
        assert (await alone.browser.get(alone.link)).status_code == 200
    assert (await alone.browser.post(alone.link, data={"csrf_token": "wrong"})).status_code == 403
    assert await sign_in(alone.link, alone.browser) == 303
    copy = dict(alone.browser.cookies)
    async with httpx.AsyncClient(base_url=alone.url) as thief:
        assert await sign_in(alone.link, thief) == 410
        assert (await thief.get("/")).status_code == 303
        assert (await thief.get(f"{alone.url}/sign-in/{'x' * 43}")).status_code == 410

    page = await alone.browser.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    [token] = TOKEN.findall(page.text)[:1]
    assert (await alone.browser.post("/sign-out", data={"csrf_token": "wrong"})).status_code == 403
    assert (await alone.browser.post("/sign-out", data={"csrf_token": token})).status_code == 303
    async with httpx.AsyncClient(base_url=alone.url, cookies=copy) as thief:
        assert (await thief.get("/")).status_code == 303


async def test_one_browser_is_signed_in_to_two_of_them_at_once(alone: Opened, redis_url: str) -> None:
    """Browsers keep cookies for a host, not for a port."""
    async with opened(redis_url) as other:
        assert await sign_in(alone.link, alone.browser) == 303
        assert await sign_in(other.link, alone.browser) == 303

        for url in (alone.url, other.url):
            assert (await alone.browser.get(f"{url}/")).status_code == 200


@pytest.mark.parametrize("redis_url", ["unix:///nowhere/redis.sock"])
async def test_without_its_redis_every_page_says_so(alone: Opened, redis_url: str) -> None:
    """And under another name of this machine none says anything."""
    assert await sign_in(alone.link, alone.browser) == 303

    page = await alone.browser.get("/")

    assert page.status_code == 503
    assert Marks(page.text).errors == ["redis-away"]
    assert (await alone.browser.get("/sign-in", headers={"Host": "evil.example"})).status_code == 400


async def test_it_warns_where_others_can_read_along(tmp_path: Path, redis_url: str) -> None:
    with_host = Alone(tmp_path, redis_url, "--host", "0.0.0.0")
    try:
        await wait_until(lambda: "link" in with_host.output, "the link", timeout_s=30)
        assert with_host.output.startswith("Warning: everybody who reaches 0.0.0.0")
    finally:
        with_host.process.terminate()
        with_host.process.wait(20)
        await with_host.browser.aclose()


def test_a_wrong_start_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("localhost\n")
    for options, code, sentence in (
        (["--redis-url", "redis://localhost", "monitor", "--port", "none"], 64, "'none' is not a valid integer range"),
        (["--redis-url", "localhost", "monitor"], 64, "is not an address"),
        (["--redis-url-file", str(tmp_path / "url"), "monitor"], 64, "is not an address"),
        (["--redis-url", "redis://localhost", "monitor", "--host", "203.0.113.1"], 1, "203.0.113.1:8001 cannot"),
        (["--redis-url", "redis://localhost", "monitor", "--trace-url", "https://x"], 64, "{trace_id}"),
    ):
        done = run_command(options)
        assert (done.code, "Traceback" in done.err) == (code, False), done.err
        assert sentence in done.err


@pytest.mark.timeout(60)
async def test_its_own_pages_are_for_everybody(alone: Opened, browser: Browser) -> None:
    page = await tab(browser)
    for path in ("/sign-in", "/sign-in/over"):
        await page.goto(alone.url + path)
        assert await problems(page) == [], path

    await page.goto(alone.link)
    assert await problems(page) == []
    await page.click("main button")
    await expect(page.get_by_role("button", name="Sign out")).to_have_count(1)
