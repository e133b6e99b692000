"""An environment with web frameworks for the pages about them, in which `quarq_jobs` is `jobs/` of this clone."""

from __future__ import annotations

import fcntl
import os
import tomllib
from pathlib import Path

from settings import ROOT
from tests.venv import make_venv

FOLDER = ROOT / ".cache" / "frameworks-venv"
FRAMEWORKS = (
    "fastapi==0.*", "uvicorn==0.*", "litestar==2.*", "quart==0.22.*", "hypercorn==0.18.*", "flask==3.*", "gunicorn",
    "gevent", "itsdangerous",
    "django>=5.2,<7", "django-tasks==0.*; python_version < '3.12'", "ipykernel==7.*", "jupyter-client==8.*",
    "httpx==0.*", "pytest==9.*",
)  # fmt: skip
"""Django 6 needs Python 3.12. Before it, its tasks are a package."""
OURS = {"quarq_jobs": "jobs", "pytest_quarq_jobs.py": "pytest_quarq_jobs.py"}
OF_A_CLONE = ("PYTHON", "VIRTUAL", "JOBS_", "PYTEST", "COVERAGE", "REDIS_URL")


def python_with_frameworks() -> Path:
    """Made once, in half a minute; links stand for the files that the wheel installs."""
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    FOLDER.parent.mkdir(exist_ok=True)
    with (FOLDER.parent / "frameworks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of two pages run at the same time
        python = make_venv(FOLDER, *required, *FRAMEWORKS)
        [packages] = FOLDER.glob("lib/*/site-packages")
        for name, source in OURS.items():
            if not (packages / name).exists():
                (packages / name).symlink_to(ROOT / source)
    return python


def environment(redis_url: str) -> dict[str, str]:
    """Of a reader's terminal: that environment is active, and nothing of the clone's is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_A_CLONE)}
    path = f"{python_with_frameworks().parent}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "REDIS_URL": redis_url, "PYTEST_PLUGINS": "pytest_quarq_jobs"}


def has_django_6() -> bool:
    """Has it `django.tasks`?"""
    return any(FOLDER.glob("lib/*/site-packages/django/tasks"))
