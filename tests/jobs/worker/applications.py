"""Two applications on one Redis, `a` and `b`: each has tasks, a queue and workers that the other knows nothing of."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from jobs import task, worker_settings
from jobs.client.decorator import Task

EXPIRES_S = 3600


def tasks_of(letter: str) -> list[Task[Any, Any]]:
    """The tasks of one application. Their calls go to its queue, and expire an hour after they were made."""

    async def log(value: Any) -> Any:
        await asyncio.sleep(0.01)
        return value

    async def add(x: int, y: int) -> int:
        return x + y

    async def fail(text: str) -> None:
        raise ValueError(text)

    async def read(path: str) -> str:
        return Path(path).read_text()

    async def note(path: str, *_: Any) -> None:
        with open(path, "a") as file:
            file.write(f"{letter}\n")

    async def note_error(request: Any, error: Any, traceback: str, path: str) -> None:
        await note(path)

    return [
        task(name=f"{letter}.{function.__name__}", queue=letter, expires=EXPIRES_S)(function)
        for function in (log, add, fail, read, note, note_error)
    ]


if letter := os.environ.get("APPLICATION"):
    WorkerSettings = worker_settings(
        redis_url=os.environ["REDIS_URL"], tasks=tasks_of(letter), queues=[letter], unknown_task_patience=0
    )
