"""docs/monitor.md: each application is served by a server, and whoever it signs in sees what their Viewer may see."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from jobs import connect, monitor, send_task
from settings import ROOT
from tests.app.running_site import free_port
from tests.app.visitor import TOKEN
from tests.frameworks import environment, python_with_frameworks
from tests.redis_server import RedisServer
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(240)  # the first run makes an environment

TEXT = (ROOT / "docs" / "monitor.md").read_text()
FENCES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
MODULES = {match[1]: fence for fence in FENCES if (match := re.match(r"# (\w+\.py)\n", fence))}
STRIPPED = "/behind"
SERVERS = {
    "FastAPI": ("uvicorn", "fastapi_site:app"),
    "Starlette": ("uvicorn", "starlette_site:app"),
    "Litestar": ("uvicorn", "litestar_site:app"),
    "Django": ("uvicorn", "django_asgi:application"),
    "Quart": ("hypercorn", "quart_site:site"),
    "a proxy that strips": ("uvicorn", "starlette_site:app", "--root-path", STRIPPED),
}
STREAM = {"Accept": "text/event-stream"}


class StrippingProxy(httpx.AsyncHTTPTransport):
    """Takes the first part of the path away, if it is the one that the proxy serves."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(path=request.url.path.removeprefix(STRIPPED))
        return await super().handle_async_request(request)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Path:
    """With the modules of the page, and a Django project."""
    folder = tmp_path_factory.mktemp("mounted")
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    shutil.copy(ROOT / "tests" / "django_site" / "site_of_django.py", folder)
    migrate = [python_with_frameworks(), "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=folder, env=environ(folder, redis_server.url), check=True)
    return folder


def environ(folder: Path, redis_url: str) -> dict[str, str]:
    ours = {"SECRET_KEY": "only for tests", "DJANGO_SETTINGS_MODULE": "site_of_django", "PYTHONPATH": str(folder)}
    return environment(redis_url) | ours


@dataclass
class Served:
    """One of the applications, while its server runs."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def prefix(self) -> str:
        """Where the monitor is, as browsers see it."""
        return f"{STRIPPED}/jobs" if "proxy" in self.name else "/jobs"

    def browser(self) -> httpx.AsyncClient:
        url = f"{self.url}{self.prefix.removesuffix('/jobs')}"
        return httpx.AsyncClient(base_url=url, timeout=20, transport=StrippingProxy())

    async def answers(self) -> bool:
        async with self.browser() as browser:
            try:
                return (await browser.get("/jobs/nowhere")).status_code == 404
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text()
                return False

    @asynccontextmanager
    async def signed_in(self, user: str) -> AsyncIterator[httpx.AsyncClient]:
        async with self.browser() as browser:
            if "starlette" in str(self.process.args):
                browser.headers["X-User"] = user
            else:
                method = "GET" if self.name == "Django" else "POST"
                answer = await browser.request(method, "/sign-in", params={"user": user})
                assert answer.is_success, answer.text
            yield browser


@contextmanager
def served(name: str, folder: Path, redis_url: str) -> Iterator[Served]:
    port = free_port()
    program, *words = SERVERS[name]
    where = ["--port", str(port)] if program == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python_with_frameworks(), "-m", program, *words, *where],
            cwd=folder,
            env=environ(folder, redis_url),
            stdout=output,
            stderr=output,
        )
    try:
        yield Served(name, f"http://127.0.0.1:{port}", process, log)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", SERVERS)
async def test_an_application_mounts_it_as_the_page_says(name: str, folder: Path, redis_url: str) -> None:
    async with connect(redis_url) as redis:
        job = await send_task("shop.send", ("x",), countdown=3_600)
        with served(name, folder, redis_url) as it:
            await wait_until(it.answers, f"{name} to answer", timeout_s=60)
            await strangers_see_nothing(it)
            async with it.signed_in("ben") as reader:
                await all_pages_open(it, reader, job.id)
                await nothing_can_be_changed(reader)
            assert (await monitor.audit(redis)).rows == []
            async with it.signed_in("ann") as operator:
                await a_queue_is_paused(it, operator)
                [row] = (await monitor.audit(redis)).rows
                assert (row.who, row.what) == ("ann", "pause queue")
                await it_stops_beside_an_open_page(it, operator)


async def strangers_see_nothing(it: Served) -> None:
    async with it.browser() as stranger:
        for path in ("/jobs/", "/jobs/queues", "/jobs/static/monitor.css", "/jobs/api/v1/queues"):
            answer = await stranger.get(path)
            assert (answer.status_code, "onitor" in answer.text) == (404, False), path


async def all_pages_open(it: Served, reader: httpx.AsyncClient, job_id: str) -> None:
    """Those that the first page leads to, and files, all under the prefix as the browser sees it."""
    first = await reader.get("/jobs/")
    assert first.status_code == 200, first.text
    assert f"Path={it.prefix};" in f"{first.headers['Set-Cookie']};"
    links = set(re.findall(r'(?:href|src)="([^"#]+)"', first.text))
    assert f"{it.prefix}/jobs" in links
    for link in links - {"/"}:
        assert link.startswith(f"{it.prefix}/"), link
        assert (await reader.get(link.removeprefix(STRIPPED))).status_code == 200, link
    assert job_id in (await reader.get("/jobs/jobs")).text
    async with reader.stream("GET", "/jobs/queues", headers=STREAM) as stream:
        async with asyncio.timeout(10):
            async for line in stream.aiter_lines():
                if line == "event: part":
                    break


async def nothing_can_be_changed(reader: httpx.AsyncClient) -> None:
    page = await reader.get("/jobs/queues")
    assert "Pause</button>" not in page.text
    form = {"csrf_token": TOKEN.findall(page.text)[0], "name": "mail"}
    assert (await reader.post("/jobs/queue/pause", data=form)).status_code == 403


async def a_queue_is_paused(it: Served, operator: httpx.AsyncClient) -> None:
    page = await operator.get("/jobs/queues")
    form = {"csrf_token": TOKEN.findall(page.text)[0], "name": "mail"}
    assert (await operator.post("/jobs/queue/pause", data={**form, "csrf_token": "guessed"})).status_code == 403
    paused = await operator.post("/jobs/queue/pause", data=form, headers={"Origin": it.url})
    assert (paused.status_code, paused.headers["Location"]) == (303, f"{it.prefix}/queues")
    assert 'data-notice="paused"' in (await operator.get("/jobs/queues")).text


async def it_stops_beside_an_open_page(it: Served, operator: httpx.AsyncClient) -> None:
    assert "Traceback" not in it.log.read_text(), it.log.read_text()
    async with operator.stream("GET", "/jobs/queues", headers=STREAM) as stream:
        lines = aiter(stream.aiter_lines())
        await anext(lines)
        it.process.send_signal(signal.SIGTERM)
        await wait_until(lambda: it.process.poll() is not None, f"the server of {it.name} to end", timeout_s=8)
