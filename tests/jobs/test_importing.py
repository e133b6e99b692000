"""What `import jobs` costs and changes: nothing of arq, and of the rest only what is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jobs
from settings import ROOT

OF_WORKERS = ["JsonLines", "worker_settings"]
FOR_WORKERS = ["jobs.contrib", "arq.cli", "click", "pebble", "multiprocessing", "logging.config", "jobs.worker"]
NEVER = [
    "jobs.commands",
    "jobs.monitor",
    "jobs.monitor_site",
    "jobs.testing",
    *(f"jobs.contrib.{path.stem}" for path in (ROOT / "jobs/contrib").iterdir() if path.stem != "json_lines"),
    "opentelemetry",
    "sentry_sdk",
    "watchfiles",
]
A_WORKER = """
from arq.worker import create_worker
from jobs import worker_settings
from jobs.worker.worker_options import runnables

dict(runnables(create_worker(worker_settings(redis_url="redis://localhost")), (), {}))
"""
"""It has the tasks that every worker has, ready to run."""


def run(program: str, folder: Path = ROOT) -> str:
    """What a fresh Python prints, or the last line of its traceback."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environ, capture_output=True, text=True)
    return (ran.stdout or ran.stderr.strip().splitlines()[-1]).strip()


@pytest.mark.parametrize(
    ("program", "left_out"),
    [
        ("import jobs", ["asyncio", "logging", "arq", "redis", "msgpack", *FOR_WORKERS, *NEVER]),
        (f"from jobs import {', '.join({*jobs.__all__} - {*OF_WORKERS})}", [*FOR_WORKERS, *NEVER]),
        ("from jobs import *", NEVER),
        (A_WORKER, ["jobs.contrib", *NEVER]),
    ],
    ids=["import", "names of callers", "all names", "a worker"],
)
def test_nothing_is_imported_before_it_is_needed(program: str, left_out: list[str]) -> None:
    assert run(f"{program}\nimport sys; print([name for name in {left_out} if name in sys.modules])") == "[]"


def test_each_public_name_is_there_and_no_other() -> None:
    assert all(hasattr(jobs, name) for name in jobs.__all__)
    assert {*jobs.__all__} <= {*dir(jobs)}
    with pytest.raises(AttributeError, match="module 'jobs' has no attribute 'tsak'"):
        _ = jobs.tsak  # type: ignore[attr-defined]


UNCHANGED = """
import sys
import arq, arq.cli, arq.connections, arq.cron, arq.jobs, arq.logs, arq.utils, arq.worker

def attributes():
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "arq"]
    classes = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    owners = [*modules, *(kind for kind in classes if kind.__module__.split(".")[0] == "arq")]
    return {f"{owner.__name__}.{name}": value for owner in owners for name, value in vars(owner).items()}

def changed():
    return " ".join(sorted(name for name, value in attributes().items() if value is not before.get(name)))

before = attributes()
from jobs import *
import jobs.testing, jobs.monitor, jobs.commands
print(len(before) > 200, changed() or "unchanged")
worker_settings(redis_url="redis://localhost")
print(changed())
"""


def test_arq_is_as_it_was_until_worker_settings_is_called() -> None:
    unchanged, changed = run(UNCHANGED).splitlines()

    assert unchanged == "True unchanged"
    assert changed == "arq.Worker arq.cli.default_log_config arq.cli.watch_reload arq.worker.Worker"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder in which the library has both names."""
    for name in ("jobs", "quarq_jobs"):
        (tmp_path / name).symlink_to(ROOT / "jobs")
    return tmp_path


@pytest.mark.parametrize(("first", "second"), [("jobs", "quarq_jobs"), ("quarq_jobs", "jobs")])
def test_the_library_under_two_names_is_refused(installed: Path, first: str, second: str) -> None:
    assert run(f"import {first}, {second}.errors", installed) == (
        f"ImportError: {second} and {first} are the same library, and {first} is imported already: "
        f"write `from {first} import ...` everywhere in this process"
    )


def test_a_command_that_is_printed_has_the_name_of_the_library(installed: Path) -> None:
    shown = "from quarq_jobs.commands import main; main(['--help'])"

    assert run(shown, installed).startswith("Usage: python -m quarq_jobs [OPTIONS]")
