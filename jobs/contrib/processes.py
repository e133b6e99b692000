"""Tasks with `process=True`: each in a process of its own, which is killed at the time limit and may crash."""

import asyncio
import contextlib
import functools
import importlib
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as TimedOut
from dataclasses import replace
from types import FrameType
from typing import Any

import arq.worker
from pebble import ProcessExpired, ProcessPool

from .. import encoding
from ..client import callables
from ..client.decorator import Task
from ..errors import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLost
from ..tasks import registry
from ..tasks.current import CurrentJob, Request
from ..values.sendable import DEPTH
from ..worker.execution.job_log import TEXT
from ..worker.execution.runner import cut_our_head
from ..worker.log_setup import handlers_of
from .json_lines import JsonLines, use_json_lines


async def run_in_process(job: CurrentJob) -> Any:
    """Run the task of *job* in a process: as many at a time as there are processors, the others wait for one.

    WorkerLost: the process died of it. A cancelled job's process is killed. Only our own encoding travels.
    """
    options, ref = job.task.options, f"{job.name}[{job.request.id}]"
    request, annotations = job.request, job.task.parameters.annotations
    if annotations is not None:  # rebuilt in the process, too
        args, kwargs = annotations.arguments("write", *job.arguments)
        request = replace(request, args=args, kwargs=kwargs)
    call = encoding.pack(list(vars(request).values()))  # decoded a moment ago
    work = (job.task.declared_in, job.name, options.soft_time_limit, options.max_retries, call, _way_to_log())
    future = _processes().schedule(_work, args=work, timeout=options.time_limit)
    try:
        answer = await asyncio.wrap_future(future)
    except TimedOut:
        why = f"{ref} ran longer than {options.time_limit:g} s: its process was killed"
        raise TimeLimitExceeded(why) from None
    except ProcessExpired as error:
        raise WorkerLost(f"{ref}: its process died, exit code {error.exitcode}") from None
    success, value, was_sent = encoding.loads_wrapped(answer)
    if success:
        return value if annotations is None else annotations.result("read", value)
    job.reported = value if was_sent else None
    raise value


@functools.cache
def _processes() -> ProcessPool:
    """Started when the first job needs one; they end with the worker. Spawned: a fork would inherit the loop."""
    context = multiprocessing.get_context("spawn")
    return ProcessPool(max_workers=os.cpu_count() or 1, initializer=_watch_parent, context=context)


def _work(module: str, name: str, soft_limit: float | None, max_retries: int | None, call: bytes, log: Any) -> bytes:
    """In the process: call the task of that name, which its module declares, and encode its outcome."""
    if module != "__main__":  # which was imported here as __mp_main__ already
        importlib.import_module(module)
    log()
    task = registry.lookup(name)
    assert isinstance(task, Task)
    request, annotations = Request(*encoding.loads_wrapped(call)), task.parameters.annotations
    if annotations is not None:
        request = annotations.applied("read", request)
    job = CurrentJob(task.with_options(max_retries=max_retries), request)
    with _reports(job) as was_sent:
        try:
            with _interrupted_at(soft_limit, f"{name}[{job.request.id}]"):
                value = task.run_now(job, request.args, request.kwargs)
                if callables.is_unfinished(value):
                    value = asyncio.run(callables.finished(name, value))
                value = value if annotations is None else annotations.result("write", value)
                return encoding.dumps([True, value, False], DEPTH + 1)
        except Exception as error:
            cut_our_head(error)
            if isinstance(error, arq.worker.Retry):  # whose delay is no argument when it was given by its name
                error.args = (error.defer_score and error.defer_score / 1000,)
            return encoding.dumps([False, error, was_sent(error)])


def _way_to_log() -> Callable[[], None]:
    """What gives another process the level and the form of our lines. It can be pickled."""
    root = logging.getLogger()
    forms = (one.formatter or logging.Formatter() for one in handlers_of(root))
    known = (form if type(form) in (logging.Formatter, JsonLines) else TEXT for form in forms)
    return functools.partial(_take_over, root.level, next(known, None))


def _take_over(level: int, formatter: logging.Formatter | None) -> None:
    """Log to stderr as another process does, unless the task's module has configured logging."""
    root = logging.getLogger()
    if formatter is not None and not handlers_of(root):  # else that one has no handler
        root.addHandler(handler := logging.StreamHandler())
        handler.setFormatter(formatter)
    if root.level == logging.WARNING:
        root.setLevel(level)
    if isinstance(formatter, JsonLines):
        use_json_lines()


def _reports(job: CurrentJob) -> contextlib.AbstractContextManager[Callable[[BaseException], bool]]:
    """Its scope in Sentry, if the application has imported that: was an error sent by the job itself?"""
    if "sentry_sdk" not in sys.modules:
        return contextlib.nullcontext(lambda error: False)
    return importlib.import_module(".sentry", __package__).in_process(job)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _interrupted_at(limit: float | None, ref: str) -> Iterator[None]:
    """SoftTimeLimitExceeded is raised in the code by a timer signal: it is the main thread that runs it."""
    if limit is None:
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise SoftTimeLimitExceeded(f"{ref} has reached its soft_time_limit of {limit:g} s")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _watch_parent() -> None:
    """In the process: end with the worker, however it ends. Its job becomes due elsewhere, and must not run twice."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        sys.stderr.flush()
        os._exit(1)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()
