"""Processes of the site that are killed: a worker, and a call at each of its lines."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def start_worker(settings: Settings, smtp_port: int) -> subprocess.Popen[bytes]:
    """`arq worker.WorkerSettings`, as an operator types it."""
    environment = os.environ | {
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key,
        "SMTP_SERVER": "127.0.0.1",
        "SMTP_PORT": str(smtp_port),
        "SMTP_TLS": "none",
        "SMTP_FROM": "quarq@example.org",
    }
    with open(settings.data_dir / "worker.log", "ab") as log:
        command = [sys.executable, "-m", "arq", "worker.WorkerSettings"]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


async def killed_at_each_line(settings: Settings, module: str, call: str, *queries: str) -> list[Any]:
    """Runs of this call, killed at one line of the module after the other: see `tests/app/killed_at_each_line.py`."""
    command = [sys.executable, "-m", "tests.app.killed_at_each_line", module, call, settings.data_dir / "site.db"]
    environment = os.environ | {"DATA_DIR": str(settings.data_dir), "DATABASE_URL": settings.database_url}
    ran = await asyncio.to_thread(subprocess.run, [*command, *queries], cwd=ROOT, env=environment, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]
