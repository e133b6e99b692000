"""Where the jobs of a worker are at this moment: files, lines and functions, without arguments and values."""

import asyncio
import gc
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import msgpack

from ..client.connection import JobsRedis
from ..client.decorator import Task
from ..values.short_text import cut
from ..worker.execution.claimed_job import HeldJob

MOST_JOBS, MOST_FRAMES, MOST_DEEP, FILE_CHARS = 100, 30, 1_000, 200
Place = tuple[str, int, str]
_OURS = str(Path(__file__).parents[1])


async def answer(redis: JobsRedis, tasks: Mapping[HeldJob, asyncio.Task[None]], token: str) -> None:
    """Publish for each job, those held longest first, its id, its task, what runs it, and its stack from outside in."""
    threads = dict(_of_threads())
    found = []
    for held, task in list(tasks.items())[:MOST_JOBS]:
        kind, places = "coroutine", list(_of_coroutine(task.get_coro()))
        if held.current is not None and held.current.task.options.process:
            kind, places = "process", []
        elif held.job.id in threads:
            kind, places = "thread", threads[held.job.id]
        found.append([held.job.id, held.call.task, kind, _own(places)])
    await redis.publish(redis.key.REPLY + token, msgpack.packb(found))


def _of_coroutine(awaited: Any) -> Iterator[Place]:
    """The chain of what waits for what, also through a task that it waits for."""
    for _ in range(MOST_DEEP):
        frame = next(
            filter(None, (getattr(awaited, name, None) for name in ("cr_frame", "gi_frame", "ag_frame"))), None
        )
        if frame is not None:
            yield _place(frame)
        inner = next(
            filter(None, (getattr(awaited, name, None) for name in ("cr_await", "gi_yieldfrom", "ag_await"))), None
        )
        if not any(hasattr(inner, name) for name in ("cr_frame", "gi_frame", "ag_frame")):
            held = gc.get_referents(inner) + ([] if frame is None else list(frame.f_locals.values()))
            task = next((one for one in held if isinstance(one, asyncio.Task) and not one.done()), None)
            inner = task.get_coro() if task is not None else inner
        if inner is None:
            return
        awaited = inner


def _of_threads() -> Iterator[tuple[str, list[Place]]]:
    """The stack of each thread that runs a plain function, by the id of its job."""
    for frame in sys._current_frames().values():
        places, outer = list[Place](), frame
        while outer is not None:
            if outer.f_code is Task.run_now.__code__:
                yield outer.f_locals["job"].request.id, places[::-1]
                break
            places.append(_place(outer))
            outer = outer.f_back  # type: ignore[assignment]


def _place(frame: FrameType) -> Place:
    return cut(frame.f_code.co_filename, FILE_CHARS), frame.f_lineno, cut(frame.f_code.co_qualname, FILE_CHARS)


def _own(places: list[Place]) -> list[Place]:
    """Without our frames above the code of the application; the innermost ones of a deep stack."""
    first = next((n for n, (file, _, _) in enumerate(places) if not file.startswith(_OURS)), 0)
    return places[first:][-MOST_FRAMES:]
