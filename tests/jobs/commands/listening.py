"""Somebody who reads `python -m jobs events` in a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from tests.jobs.worker.conftest import ROOT
from tests.waiting import wait_until


class Listener:
    """`python -m jobs events` in a terminal."""

    def __init__(self, redis_url: str, log: Path, *words: str) -> None:
        self.log = log
        with log.open("wb") as out, log.with_suffix(".err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jobs", "--redis-url", redis_url, "events", *words],
                cwd=ROOT, stdout=out, stderr=err,
            )  # fmt: skip

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def has(self, **wanted: str) -> bool:
        return any(wanted.items() <= event.items() for event in self.events)


@pytest.fixture
async def listener(redis_url: str, connection: JobsRedis, tmp_path: Path) -> AsyncIterator[Listener]:
    """One that listens already."""
    listener = Listener(redis_url, tmp_path / "events")

    async def listens() -> bool:
        return bool(await connection.exists(Keys.LISTENING) and (await connection.pubsub_numsub(Keys.EVENTS))[0][1])

    await wait_until(listens, "the command to listen", timeout_s=20)
    yield listener
    listener.process.kill()
    listener.process.wait()
