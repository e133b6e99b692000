"""`.blocking` in scripts, threads, forks and plain tests: the same verbs, and each process ends cleanly."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs import Middleware, OutgoingCall, Result, blocking, chord, group, open_connection, task
from jobs.client.connection import JobsRedis
from jobs.errors import NotAwaited, NotConnected, TaskRevoked
from jobs.store import default
from jobs.tasks.blocking_calls import BlockingResult
from jobs.testing import assert_enqueued, eager
from tests.jobs.worker import blocking_tasks as tasks
from tests.jobs.worker.blocking_tasks import add_up, fail, multiply
from tests.jobs.worker.conftest import ROOT, StartProcess, StartWorker
from tests.registered_tasks import forget

T = 20
BEGIN = """
import atexit, os, signal, sys, threading, time
from jobs import Result, blocking
from tests.jobs.worker.blocking_tasks import *

blocking.connect(os.environ["REDIS_URL"])
"""
SCRIPTS = {
    "calls and waits": "print(multiply.blocking.delay(6, 7).get(timeout=20))",
    "calls and ends": "later.blocking.delay(1); print(42)",
    "asyncio.run before and after": """
import asyncio
first = asyncio.run(multiply.delay(6, 7))
assert first.blocking.get(timeout=20) == 42
print(asyncio.run(Result(multiply.blocking.delay(6, 7).id).get(timeout=20)))
""",
    "a thread waits on": """
result = later.blocking.delay(1)
threading.Thread(target=result.get, daemon=True).start()
print(multiply.blocking.delay(6, 7).get(timeout=20))
""",
    "an iterator that nobody ends": """
result = later.blocking.delay(1)
following = parent.blocking.delay(1).progress()
print(42, next(following)[:0])
""",
    "has looked up a host": """
import asyncio
from jobs.contrib import loop_thread
asyncio.run_coroutine_threadsafe(asyncio.to_thread(print, 42), loop_thread.loop()).result()
""",
    "calls at exit": """
multiply.blocking.delay(1, 1)
atexit.register(lambda: print(multiply.blocking.delay(6, 7).get(timeout=20)))
""",
    "Ctrl-C": """
result = later.blocking.delay(1)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    result.get()
except KeyboardInterrupt:
    print(multiply.blocking.delay(6, 7).get(timeout=20))
""",
    "a signal handler calls": """
signal.signal(signal.SIGALRM, lambda *_: print(multiply.blocking.delay(6, 7).get(timeout=20)))
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    later.blocking.delay(1).get(timeout=1)
except TimeoutError:
    pass
""",
    "forks": """
def sockets():
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return {os.readlink(link) for link in links if os.path.islink(link) and "socket:" in os.readlink(link)}

assert multiply.blocking.delay(6, 7).get(timeout=20) == 42
of_parent, children, over = sockets(), [], threading.Event()
assert len(of_parent) >= 4

def call_on():  # forks happen in the middle of its calls
    while not over.is_set():
        multiply.blocking.delay(6, 7)

calling = threading.Thread(target=call_on)
calling.start()
for n in range(8):
    if (pid := os.fork()) == 0:
        shared = sockets() & of_parent
        sys.exit(shared or multiply.blocking.delay(n, 7).get(timeout=20))
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
assert codes == [n * 7 for n in range(8)], codes
over.set()
calling.join()
print(multiply.blocking.delay(6, 7).get(timeout=20))
""",
}


async def test_scripts_end_cleanly(redis_url: str, start_process: StartProcess) -> None:
    await start_process(settings="tests.jobs.worker.blocking_tasks.WorkerSettings")

    def run(script: str) -> tuple[str, str, int]:
        command = [sys.executable, "-W", "default", "-W", "ignore::DeprecationWarning", "-c", BEGIN + script]
        environ = {**os.environ, "REDIS_URL": redis_url}
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30)
        return ended.stdout.strip(), ended.stderr, ended.returncode

    outcomes = await asyncio.gather(*(asyncio.to_thread(run, script) for script in SCRIPTS.values()))

    assert dict(zip(SCRIPTS, outcomes, strict=True)) == dict.fromkeys(SCRIPTS, ("42", "", 0))


@pytest.fixture
def in_thread(connection: JobsRedis) -> Callable[..., Any]:
    """Runs plain code as the threads of a web framework do, next to a default connection."""
    return asyncio.to_thread


VERBS: dict[str, tuple[Callable[[BlockingResult[int]], Any], Any]] = {
    "get": (lambda result: result.get(timeout=T), 42),
    "state": (lambda result: result.state(), "SUCCESS"),
    "status": (lambda result: result.status(), "SUCCESS"),
    "ready": (lambda result: result.ready(), True),
    "successful": (lambda result: result.successful(), True),
    "failed": (lambda result: result.failed(), False),
    "revoke": (lambda result: result.revoke(terminate=True), "SUCCESS"),
    "info": (lambda result: result.info().task, "blocking.multiply"),
    "meta": (lambda result: result.meta(), None),
    "progress": (lambda result: list(result.progress()), []),
    "children": (lambda result: result.children(), []),
    "retry_failed": (lambda result: result.retry_failed(), False),
    "reschedule": (lambda result: result.reschedule(datetime.now(UTC) + timedelta(days=1)), False),
    "as_completed": (lambda result: error_of(lambda: list(result.as_completed())), "ResultUnknown"),
    "id": (lambda result: {result: True}[Result(result.id).blocking], True),
    "send_event": (lambda result: error_of(lambda: result.send_event("approval")), "EventRefused"),
    "forget": (lambda result: (result.forget(), result.state()), (None, "UNKNOWN")),
}


def error_of(call: Callable[[], Any]) -> str:
    try:
        return repr(call())
    except Exception as error:
        return type(error).__name__


def test_results_have_the_same_verbs() -> None:
    awaited = {name for name in vars(Result) if not name.startswith("_")} - {"blocking"} | {"id"}

    assert {name for name in dir(BlockingResult) if not name.startswith("_")} == awaited | {
        "shown",
        "existing",
        "replaced",
    }
    assert VERBS.keys() == awaited


async def test_each_verb_answers(in_thread: Any, start_worker: StartWorker) -> None:
    await start_worker(tasks=tasks.ALL)
    result = await in_thread(lambda: multiply.blocking.delay(6, 7))
    await Result[int](result.id).get(timeout=T)

    answers = await in_thread(lambda: {name: ask(result) for name, (ask, _) in VERBS.items()})

    assert answers == {name: answer for name, (_, answer) in VERBS.items()}


async def test_each_way_to_call(in_thread: Any, start_worker: StartWorker) -> None:
    await start_worker(tasks=tasks.ALL)
    numbers = group(multiply.s(n, n) for n in range(4))

    def call() -> list[Any]:
        of_group = numbers.blocking.delay()
        failing = fail.blocking.delay()
        return [
            multiply.blocking.delay(2, y=3).get(timeout=T),
            multiply.blocking.apply_async((2, 4), countdown=0.1, headers={"a": "b"}).get(timeout=T),
            [result.get(timeout=T) for result in multiply.blocking.apply_many([(1, 1), multiply.s(1, 2)])],
            multiply.s(2).blocking.delay(5).get(timeout=T),
            (numbers | add_up.s()).blocking.delay().get(timeout=T),
            chord(numbers, add_up.s()).blocking.apply_async(queue="default").get(timeout=T),
            blocking.send_task("blocking.multiply", (2, 6)).get(timeout=T),
            blocking.first([failing, multiply.blocking.delay(2, 7)], timeout=T),
            type(failing.get(propagate=False)).__name__,
            sorted(member.get() for member in of_group.as_completed()),
            len(of_group.children()),
            list(tasks.parent.blocking.delay(1).progress())[-1],
        ]

    assert await in_thread(call) == [6, 8, [1, 2], 10, 14, 14, 12, 14, "ValueError", [0, 1, 4, 9], 4, "parent 1"]


async def test_errors_arrive_at_the_call(in_thread: Any, redis_url: str) -> None:
    result = await in_thread(lambda: multiply.blocking.apply_async((6, 7), countdown=3600))

    for call, error in [
        (lambda: result.get(timeout=0.05), TimeoutError),
        (lambda: result.get(timeout="1"), TypeError),
        (lambda: multiply.blocking.delay(1), TypeError),  # type: ignore[call-arg]
        (lambda: multiply.blocking.apply_async((1, 1), countdwn=1), TypeError),  # type: ignore[call-arg]
        (lambda: (result.revoke(), result.get()), TaskRevoked),
    ]:
        with pytest.raises(error):
            await in_thread(call)


IN_A_LOOP: dict[str, tuple[Callable[[], Any], str]] = {
    "delay": (lambda: multiply.blocking.delay(2, 3), "multiply.delay"),
    "apply_async": (lambda: multiply.blocking.apply_async((2, 3)), "multiply.apply_async"),
    "apply_many": (lambda: multiply.blocking.apply_many([(2, 3)]), "multiply.apply_many"),
    "a signature": (lambda: multiply.s(2, 3).blocking.delay(), "multiply.s(...).delay"),
    "a group": (lambda: group(multiply.s(2, 3)).blocking.apply_async(), "group(...).apply_async"),
    "send_task": (lambda: blocking.send_task("a"), "send_task"),
    "first": (lambda: blocking.first([Result[int]("a").blocking]), "first"),
    "get": (lambda: Result[int]("a").blocking.get(), "result.get"),
    "progress": (lambda: Result[int]("a").blocking.progress(), "result.progress"),
    "as_completed": (lambda: Result[int]("a").blocking.as_completed(), "result.as_completed"),
}


@pytest.mark.parametrize("name", IN_A_LOOP)
async def test_where_a_loop_runs_it_says_what_to_await(name: str, connection: JobsRedis) -> None:
    call, instead = IN_A_LOOP[name]

    with pytest.raises(NotAwaited) as raised:
        call()
    assert str(raised.value).startswith(f"use `await {instead}(...)` here")


@pytest.fixture
def not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process begins: nobody has called `blocking.connect()`."""
    monkeypatch.setattr(default, "_kept", [])
    monkeypatch.setattr("jobs.client.blocking._connected_to", ())


def test_without_a_connection_it_says_what_to_call(not_connected: None) -> None:
    with pytest.raises(NotConnected, match=r"after `blocking\.connect\("):
        multiply.blocking.delay(2, 3)


async def test_the_last_of_several_connections_is_the_one(not_connected: None) -> None:
    """The same again is none, unless another has come between."""
    blocking.connect("redis://nobody.example:1")
    first = default.current()
    blocking.connect("redis://nobody.example:1")
    assert default.current() is first

    opened = await open_connection("redis://nobody.example:1")
    assert default.current() is opened
    await opened.aclose()
    blocking.connect("redis://nobody.example:1")
    again = default.current()
    assert again not in (first, opened)
    blocking.connect("redis://nobody.example:2")
    assert default.current() is not again


class Tagging(Middleware):
    async def send(self, call: OutgoingCall, call_next: Any) -> Result[Any]:
        call.headers["tag"] = "1"
        return await call_next(call)  # type: ignore[no-any-return]


def test_eager_mode_wins_and_takes_the_middleware(not_connected: None) -> None:
    @task(name="blocking.tag", bind=True)
    def tag(self: Any) -> Any:
        return self.request.headers.get("tag")

    answers = []
    blocking.connect("redis://nobody.example:1", middleware=[Tagging()])
    with eager():
        answers.append(tag.blocking.delay().get())
    with eager():
        blocking.connect("redis://nobody.example:2", middleware=[Tagging()])
        answers.append(tag.blocking.delay().get())
    forget("blocking.tag")
    assert answers == ["1", "1"]


def test_plain_tasks_of_eager_mode_wait_for_each_other(not_connected: None) -> None:
    """More of them than asyncio has threads."""
    with eager():
        parents = group(tasks.parent.s(n) for n in range(40)).blocking.delay()
        assert parents.get() == [3 * n for n in range(40)]
        assert tasks.waits_for_all.blocking.delay(2).get() == 13


async def test_a_worker_of_a_test_wins_and_its_calls_are_listed(not_connected: None, jobs_worker: Any) -> None:
    blocking.connect("redis://nobody.example:1")

    async with jobs_worker(tasks=tasks.ALL, queues=["elsewhere"]):
        await asyncio.to_thread(lambda: multiply.blocking.delay(6, 7))
        await assert_enqueued(multiply, args=(6, 7), count=1)
    async with jobs_worker(tasks=tasks.ALL):
        assert await asyncio.to_thread(lambda: tasks.parent.blocking.delay(2).get(timeout=T)) == 6


class Deadly(Middleware):
    async def send(self, call: OutgoingCall, call_next: Any) -> Result[Any]:
        if call.kwargs.get("y") == 0:
            sys.exit("only this call")
        if call.kwargs.get("y") == -1:
            asyncio.get_running_loop().call_soon(sys.exit)
        return await call_next(call)  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # which is how it dies
def test_a_loop_that_died_is_replaced(not_connected: None, redis_url: str) -> None:
    blocking.connect(redis_url, middleware=[Deadly()])
    result, raised = multiply.blocking.delay(1, 1), list[BaseException]()

    def wait() -> None:
        try:
            result.get()
        except BaseException as error:
            raised.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    with pytest.raises(SystemExit, match="only this call"):
        multiply.blocking.delay(1, y=0)
    assert result.state() == "PENDING"
    with pytest.raises(NotConnected, match="the event loop that ran this call has ended"):
        multiply.blocking.delay(1, y=-1)
    waiting.join(T)

    assert [type(error) for error in raised] == [NotConnected]
    assert multiply.blocking.delay(1, 1).state() == "PENDING"


def test_calls_by_await_import_no_thread_and_no_loop(redis_url: str) -> None:
    program = """
import asyncio, sys
from jobs import connect
from jobs.testing import eager
from tests.jobs.worker.blocking_tasks import multiply

async def main():
    with eager():
        assert await (await multiply.delay(6, 7)) == 42

asyncio.run(main())
print([name for name in sys.modules if "loop_thread" in name])
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ended.stdout == "[]\n"
