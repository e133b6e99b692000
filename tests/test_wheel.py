"""The wheel is `jobs/` and the fixtures for pytest alone, and works beside somebody else's `app/` and `settings.py`."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from settings import ROOT
from tests.venv import build_wheel, make_venv

MAIN = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.tasks import greet
from jobs import connect
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
    from jobs import Result

    return {"text": await Result(job_id).get(timeout=10)}
"""

TASKS = """
from jobs import task, worker_settings
from settings import REDIS_URL


@task(name="greetings.greet")
async def greet(name: str) -> str:
    return f"Hello {name}"


WorkerSettings = worker_settings(redis_url=REDIS_URL, tasks=[greet])
"""

TEST = """
from app.tasks import greet


def test_a_greeting(jobs_eager):
    import asyncio

    async def greeted():
        return await (await greet.delay("Bob")).get()

    assert asyncio.run(greeted()) == "Hello Bob"
"""

VISIT = """
import subprocess, sys
from fastapi.testclient import TestClient
from app.main import app
import jobs

with TestClient(app) as client:
    job = client.post("/greetings?name=Alice").json()["job"]
    subprocess.run([sys.executable, "-m", "arq", "--burst", "app.tasks.WorkerSettings"], check=True)
    print(client.get(f"/greetings/{job}").json()["text"])
print(jobs.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.mark.timeout(180)
def test_the_wheel_is_the_library_and_nothing_else(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "jobs").rglob("*")
        if path.is_file() and path.suffix in {".py", ".lua", ".typed"}
    }

    assert {name for name in packed if ".dist-info/" not in name} == source | {"pytest_quarq_jobs.py"}
    assert "jobs/py.typed" in packed
    assert sum(name.endswith(".lua") for name in packed) > 5


@pytest.mark.timeout(180)
def test_it_works_beside_an_application_of_the_same_names(wheel: Path, tmp_path: Path, redis_url: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "settings.py").write_text(f"REDIS_URL = {redis_url!r}\n")
    for name, text in {"__init__": "", "main": MAIN, "tasks": TASKS, "test_tasks": TEST}.items():
        (tmp_path / "app" / f"{name}.py").write_text(text)
    python = make_venv(tmp_path / "venv", str(wheel), "fastapi", "httpx", "pytest")

    visit = subprocess.run(
        [python, "-c", VISIT], cwd=tmp_path, env=_clean(), capture_output=True, text=True, check=False
    )

    assert visit.returncode == 0, visit.stderr
    text, place = visit.stdout.splitlines()
    assert text == "Hello Alice"
    assert Path(place).is_relative_to(tmp_path / "venv")

    tested = subprocess.run(
        [python, "-m", "pytest", "app"], cwd=tmp_path, env=_clean(), capture_output=True, text=True, check=False
    )

    assert "1 passed" in tested.stdout, tested.stdout


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}
