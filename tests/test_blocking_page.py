"""docs/blocking.md runs as it is there: the script, Flask and Django under gunicorn and their own servers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs import connect, send_task
from settings import ROOT
from tests.documents import Page, run_commands, worker_of
from tests.frameworks import python_with_frameworks
from tests.waiting import wait_until

PAGE = Page(ROOT / "docs" / "blocking.md")
CALLS_FIRST = """
from web import app
from tasks import multiply

assert multiply.blocking.delay(6, 7).get(timeout=20) == 42
"""
GUNICORN = ("gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}")
SERVERS: dict[str, tuple[str, ...]] = {
    "flask": ("flask", "--app", "web", "run", "--port", "{port}"),
    "gunicorn, called before the fork": (*GUNICORN, "--preload", "calls_first:app"),
    "gunicorn, threads": (*GUNICORN, "--preload", "--threads", "4", "calls_first:app"),
    "django": ("django", "runserver", "--noreload", "--skip-checks", "{port}"),
    "django, gunicorn": (*GUNICORN, "--preload", "django.core.wsgi:get_wsgi_application()"),
}


@pytest.fixture(scope="module")
def python() -> Path:
    return python_with_frameworks()


@pytest.fixture
def folder(tmp_path: Path, redis_url: str) -> Iterator[Path]:
    """The modules of the page, and a worker."""
    for name, text in {**PAGE.modules(), "calls_first.py": CALLS_FIRST}.items():
        (tmp_path / name).write_text(text)
    for name in ("jobs", "pytest_quarq_jobs.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    with worker_of("tasks", tmp_path, redis_url):
        yield tmp_path


@contextlib.contextmanager
def served(python: Path, folder: Path, redis_url: str, *words: str) -> Iterator[tuple[str, Path]]:
    """The address of a server, and its log; it must stop at a SIGTERM (Ctrl-C for those of the frameworks)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [python, "-m", *(word.format(port=port) for word in words)],
            cwd=folder, env=environ(redis_url), stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}", log
        server.send_signal(signal.SIGTERM if words[0] == "gunicorn" else signal.SIGINT)
        server.wait(20)
    finally:
        server.kill()
        server.wait()


def environ(redis_url: str) -> dict[str, str]:
    own = {"REDIS_URL": redis_url, "DJANGO_SETTINGS_MODULE": "shop_settings", "PYTHONDEVMODE": "1"}
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))} | own


def fetch(url: str, method: str = "GET") -> Any:
    with (
        contextlib.suppress(urllib.error.URLError),
        urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer,
    ):
        return json.load(answer)


async def test_the_script_writes_what_the_page_shows(folder: Path, redis_url: str) -> None:
    [fence] = PAGE.sections[2].fences("console")

    run_commands(fence, folder, redis_url)


async def test_the_report_tells_how_far_it_is(tmp_path: Path, redis_url: str) -> None:
    for name in ("tasks.py", "reports.py"):
        (tmp_path / name).write_text(PAGE.modules()[name])
    with worker_of("reports", tmp_path, redis_url):
        async with connect(redis_url):
            result = await send_task("reports.yearly", (3,))
            assert await result.get(timeout=20) == [100, 200, 300]
            assert await result.meta() == {"done": 3, "of": 3}


async def answers_of_flask(url: str) -> list[Any]:
    first = await wait_until(lambda: fetch(f"{url}/products/6/7", "POST"), "the server", timeout_s=20)
    jobs = [first["job"], *(fetch(f"{url}/products/{n}/7", "POST")["job"] for n in range(8))]
    has_ended = [lambda job=job: fetch(f"{url}/products/{job}")["product"] is not None for job in jobs]  # type: ignore[misc]
    for job, ended in zip(jobs, has_ended, strict=True):
        await wait_until(ended, f"job {job}")
    return [fetch(f"{url}/products/{job}")["product"] for job in jobs]


async def answers_of_django(url: str) -> list[Any]:
    await wait_until(lambda: fetch(f"{url}/products/6/7"), "the server", timeout_s=20)
    return [fetch(f"{url}/{path}")["product"] for path in ("awaited/6/7", *(f"products/{n}/7" for n in range(8)))]


@pytest.mark.timeout(180)
async def test_each_server_calls_and_stops_cleanly(python: Path, folder: Path, redis_url: str) -> None:
    for name, words in SERVERS.items():
        with served(python, folder, redis_url, *words) as (url, log):
            answers = await (answers_of_django if "django" in name else answers_of_flask)(url)
        assert answers == [42, *range(0, 56, 7)], name
        for noise in ("Traceback", "destroyed", "Exception", "never awaited"):
            assert noise not in log.read_text(), (name, log.read_text())


@pytest.mark.timeout(180)
async def test_under_gevent_it_says_what_to_do(python: Path, folder: Path, redis_url: str) -> None:
    words = (*GUNICORN, "--worker-class", "gevent", "web:app")
    with served(python, folder, redis_url, *words) as (url, log):
        await wait_until(lambda: "Booting worker" in log.read_text(), "gunicorn", timeout_s=20)
        fetch(f"{url}/products/6/7", "POST")
        await wait_until(lambda: "gunicorn --worker-class gthread" in log.read_text(), "the advice")


@pytest.mark.timeout(180)
def test_the_test_of_the_page_passes(python: Path, folder: Path, redis_url: str) -> None:
    command = [python, "-m", "pytest", "-q", "-p", "pytest_quarq_jobs", "test_web.py"]
    tested = subprocess.run(command, cwd=folder, env=environ(redis_url), capture_output=True, text=True)

    assert "1 passed" in tested.stdout, tested.stdout
