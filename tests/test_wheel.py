"""The wheel is `jobs/` as `quarq_jobs`, and the fixtures for pytest. In an empty environment it does what pages say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from contextlib import suppress
from email.parser import Parser
from pathlib import Path
from typing import Any

import httpx
import pytest

from settings import ROOT
from tests.app.running_site import free_port
from tests.app.visitor import TOKEN
from tests.venv import build_wheel, install, make_venv
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(240)  # the first test builds and installs

QUICKSTART, *_ = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)

TYPED = """
from quarq_jobs import Result, task, worker_settings
from quarq_jobs import tsak  # attr-defined
from quarq_jobs.testing import eager


@task(name="typed.half", max_retries=3)
async def half(n: int) -> float:
    return n / 2


async def main() -> None:
    with eager():
        result: Result[float] = await half.delay(3)
        wrong: str = await result.get()  # assignment
        await half.delay("3")  # arg-type


WorkerSettings = worker_settings(redis_url="redis://localhost", tasks=[half])
"""

OWN_JOBS = """
def greeting(name: str) -> str:
    return f"Hello {name}"
"""

MAIN = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.tasks import greet
from quarq_jobs import connect
from settings import REDIS_URL


@asynccontextmanager
async def lifespan(app):
    async with connect(REDIS_URL):
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/greetings")
async def create(name: str):
    result = await greet.delay(name)
    return {"job": result.id}


@app.get("/greetings/{job_id}")
async def read(job_id: str):
    from quarq_jobs import Result

    return {"text": await Result(job_id).get(timeout=10)}
"""

TASKS = """
from jobs.greetings import greeting
from quarq_jobs import task, worker_settings
from settings import REDIS_URL


@task(name="greetings.greet")
async def greet(name: str) -> str:
    return greeting(name)


WorkerSettings = worker_settings(redis_url=REDIS_URL, tasks=[greet])
"""

TEST = """
import asyncio

import pytest

from app.tasks import greet


async def greeted():
    return await (await greet.delay("Bob")).get(timeout=10)


def test_eagerly(jobs_eager):
    assert asyncio.run(greeted()) == "Hello Bob"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_on_a_worker(jobs_worker, jobs_clock):
    async with jobs_worker(tasks=[greet]):
        later = await greet.apply_async(("Bob",), countdown=86_400)
        await jobs_clock.advance(days=2)
        assert await later.get(timeout=10) == "Hello Bob"
"""

VISIT = """
import subprocess, sys
from fastapi.testclient import TestClient
from app.main import app
import quarq_jobs

with TestClient(app) as client:
    job = client.post("/greetings?name=Alice").json()["job"]
    subprocess.run([sys.executable, "-m", "arq", "--burst", "app.tasks.WorkerSettings"], check=True)
    print(client.get(f"/greetings/{job}").json()["text"])
print(quarq_jobs.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment with the wheel and what that requires. Later tests install more."""
    return make_venv(tmp_path_factory.mktemp("env") / "venv", str(wheel))


def clean(redis_url: str = "") -> dict[str, str]:
    """The environment of somebody who has no clone."""
    left_out = ("PYTHON", "VIRTUAL", "JOBS_", "PYTEST", "COVERAGE")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | (
        {"REDIS_URL": redis_url, "JOBS_TEST_REDIS_URL": redis_url} if redis_url else {}
    )


def run(*words: str | Path, cwd: Path, redis_url: str = "") -> str:
    """What a program prints that must succeed."""
    ran = subprocess.run(words, cwd=cwd, env=clean(redis_url), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_wheel_is_the_library_and_nothing_else(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    source = {
        f"quarq_{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "jobs").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    [metadata] = (name for name in archive.namelist() if name.endswith("/METADATA"))
    about = Parser().parsestr(archive.read(metadata).decode())

    assert {name for name in archive.namelist() if ".dist-info/" not in name} == source | {"pytest_quarq_jobs.py"}
    assert "quarq_jobs/py.typed" in source
    assert sum(name.endswith(".lua") for name in source) > 5
    assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())
    assert (about["Name"], about["License-Expression"]) == ("quarq-jobs", "MIT")
    assert {"metrics", "monitor", "otel", "watch"} <= {*about.get_all("Provides-Extra", [])}


async def test_the_quickstart_and_the_commands(python: Path, tmp_path: Path, redis_url: str) -> None:
    """Nothing but the wheel is installed."""
    (tmp_path / "quickstart.py").write_text(QUICKSTART)
    log = tmp_path / "log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [python.with_name("arq"), "quickstart.WorkerSettings"], cwd=tmp_path, env=clean(redis_url), stderr=output
        )

    def command(*words: str) -> str:
        settings = ("-A", "quickstart.WorkerSettings")
        return run(python, "-m", "quarq_jobs", *settings, *words, cwd=tmp_path, redis_url=redis_url)

    try:
        assert run(python, "quickstart.py", cwd=tmp_path, redis_url=redis_url) == "16\n25\n[0, 1]\n"
        await wait_until(lambda: "quickstart.log ● [0, 1]" in log.read_text(), "the worker to log it")
        assert "1 node online" in command("status")
        assert "quickstart.multiply" in command("inspect", "registered")
        job = command("call", "quickstart.multiply", "--args", "[6, 7]", "--countdown", "3600").strip()
        assert f"{job}: " in command("why", job)
        assert "revoked" in command("control", "revoke", job).lower()
        assert '"quarq": "0.2.0"' in command("inspect", "conf", "--json")
    finally:
        worker.terminate()
        worker.wait()


async def test_the_monitor_serves_pages_with_its_extra_and_says_what_is_missing_without(
    python: Path, wheel: Path, tmp_path: Path, redis_url: str
) -> None:
    command = [python, "-m", "quarq_jobs", "--redis-url", redis_url, "monitor", "--port", str(port := free_port())]
    asked: dict[str, Any] = {"cwd": tmp_path, "env": clean(), "text": True}
    for missing in (command, [python, "-c", "from quarq_jobs import monitor_app"]):
        ran = subprocess.run(missing, capture_output=True, check=False, **asked)
        assert ran.returncode == 1
        assert "pip install 'quarq-jobs[monitor]'" in ran.stderr
    install(python, f"{wheel}[monitor]")

    with subprocess.Popen(command, stdout=subprocess.PIPE, **asked) as monitor:
        try:
            assert monitor.stdout is not None
            link = monitor.stdout.readline().split()[-1]
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as browser:

                async def opened() -> httpx.Response | None:
                    with suppress(httpx.TransportError):
                        return await browser.get(link)
                    return None

                page = await wait_until(opened, "the monitor to answer", timeout_s=30)
                [token] = TOKEN.findall(page.text)
                assert (await browser.post(link, data={"csrf_token": token})).status_code == 303
                for path in ("/", "/jobs", "/static/monitor.css", "/static/monitor.js"):
                    assert (await browser.get(path)).status_code == 200, path
                described = (await browser.get("/api/v1/openapi.json")).json()
                assert described == json.loads((ROOT / "docs" / "openapi.json").read_text())
        finally:
            monitor.terminate()
    assert monitor.returncode == 0


def test_type_checkers_read_the_installed_types(python: Path, tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    cache = ROOT / ".cache" / "mypy-of-the-wheel"
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        python,
        "--cache-dir",
        cache,
        "typed.py",
    ]

    said = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True).stdout

    found = re.findall(r"^typed\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    wanted = [
        (str(number), line.partition("  # ")[2]) for number, line in enumerate(TYPED.split("\n"), 1) if "  # " in line
    ]
    assert found == wanted, said


def test_a_fastapi_project_with_a_folder_jobs_of_its_own(python: Path, tmp_path: Path, redis_url: str) -> None:
    (tmp_path / "settings.py").write_text(f"REDIS_URL = {redis_url!r}\n")
    files = {"app/__init__": "", "app/main": MAIN, "app/tasks": TASKS, "app/test_tasks": TEST}
    for name, text in {**files, "jobs/__init__": "", "jobs/greetings": OWN_JOBS}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(text)
    install(python, "fastapi", "httpx", "pytest")

    text, place = run(python, "-c", VISIT, cwd=tmp_path).splitlines()
    tested = run(python, "-m", "pytest", "app", cwd=tmp_path, redis_url=redis_url)

    assert text == "Hello Alice"
    assert Path(place).is_relative_to(python.parents[1])
    assert "2 passed" in tested, tested
