"""The recipe's rows 3 to 18, and every option of a task, of a call and of a result, each on a real worker process.

The ids are demanded by what the code offers: an option without a row fails.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs import Result, connect, group, send_task, signature
from jobs.errors import DoesNotFit, RemoteError, ResultUnknown, TaskRevoked, TimeLimitExceeded, WorkerLost
from jobs.tasks.call_options import CallOptions
from jobs.tasks.options import TaskOptions
from settings import ROOT
from tests.jobs import recipe_tasks as tasks
from tests.redis_server import RedisServer
from tests.waiting import wait_until


@dataclass(frozen=True)
class Stage:
    """What a row has: the shared worker's log, and a file of its own that its tasks write into."""

    url: str
    log: Path
    path: str

    @property
    def lines(self) -> list[str]:
        return Path(self.path).read_text().splitlines() if Path(self.path).exists() else []

    @property
    def gaps(self) -> list[float]:
        """Seconds between the lines, which are times."""
        times = [float(line) for line in self.lines]
        return [after - before for before, after in itertools.pairwise(times)]


Row = Callable[[Stage], Awaitable[None]]
ROWS: dict[str, Row] = {}


def row(*ids: str) -> Callable[[Row], Row]:
    def add(function: Row) -> Row:
        ROWS.update(dict.fromkeys(ids, function))
        return function

    return add


def wanted() -> set[str]:
    """Every id that there must be."""
    calls = {"args", "kwargs", *CallOptions.__annotations__}
    results = {name for name in vars(Result) if not name.startswith("_")}
    return (
        {f"recipe {number}" for number in range(3, 19)}
        | {f"task {field.name}" for field in fields(TaskOptions)}
        | {f"call {name}" for name in calls}
        | {f"result {name}" for name in results}
    )


def test_there_is_a_row_for_each() -> None:
    assert ROWS.keys() == wanted()


@contextmanager
def a_worker(url: str, log: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "arq", "tests.jobs.recipe_tasks.WorkerSettings"],
            cwd=ROOT,
            env=os.environ | {"ROWS_REDIS": url} | environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="quarq-") as name:
        server, log = RedisServer(Path(name)).start(), Path(name) / "worker.log"
        try:
            with a_worker(server.url, log):
                yield server.url, log
        finally:
            server.stop()


@pytest.mark.parametrize("row_id", sorted(wanted()))
async def test_row(row_id: str, shared: tuple[str, Path], tmp_path: Path) -> None:
    url, log = shared
    async with connect(url):
        await ROWS[row_id](Stage(url, log, str(tmp_path / "notes")))


@row("recipe 3")
async def the_worker_lists_its_tasks(stage: Stage) -> None:
    await wait_until(lambda: "rows.log, rows.multiply" in stage.log.read_text(), "the list")


@row("recipe 4")
async def a_direct_call_runs_here(stage: Stage) -> None:
    assert await tasks.log("Message", stage.path) == "Message"
    assert stage.lines == ["Message"]


@row("recipe 5")
async def delay_runs_on_a_worker(stage: Stage) -> None:
    await (await tasks.log.delay("Message")).get(timeout=10)
    await wait_until(lambda: "rows.log ● 'Message'" in stage.log.read_text(), "the worker's line")


@row("recipe 6", "result ready", "result get")
async def get_waits_for_the_result(stage: Stage) -> None:
    result = await tasks.nap.delay(0.2)

    assert not await result.ready()
    with pytest.raises(TimeoutError):
        await result.get(timeout=0.01)
    assert await result.get(timeout=10) == "rested"
    assert await result.ready()
    assert await Result(result.id).get() == "rested"


@row("recipe 7", "result state", "result status", "result successful", "result failed")
async def every_state_is_stored(stage: Stage) -> None:
    waiting, running = await tasks.multiply.apply_async((1, 1), countdown=60), await tasks.nap.delay(1)
    retried, failed = await tasks.flaky.delay(stage.path, 1), await tasks.fail.delay(stage.path)

    assert await waiting.state() == "PENDING"
    await wait_until(lambda: _is(running, "STARTED"), "STARTED")
    await wait_until(lambda: _is(retried, "RETRY"), "RETRY")
    await wait_until(lambda: _is(retried, "SUCCESS"), "SUCCESS")
    await wait_until(lambda: _is(failed, "FAILURE"), "FAILURE")
    await waiting.revoke()
    assert await waiting.status() == "REVOKED"
    assert await Result("nobody").status() == "UNKNOWN"
    assert (await retried.successful(), await retried.failed()) == (True, False)
    assert (await failed.successful(), await failed.failed()) == (False, True)


@row("recipe 8", "task max_retries", "task default_retry_delay")
async def retry_runs_it_again_with_the_same_arguments(stage: Stage) -> None:
    assert await (await tasks.flaky.delay(stage.path, 2)).get(timeout=10) == 2
    assert len(stage.gaps) == 2
    assert all(0.2 <= gap < 2 for gap in stage.gaps)

    with pytest.raises(OSError, match="not yet"):
        await (await tasks.flaky.delay(stage.path, 99)).get(timeout=10)
    assert len(stage.lines) == 6


@row("recipe 9", "task rate_limit")
async def a_rate_is_kept(stage: Stage) -> None:
    results = await tasks.paced.apply_many([(stage.path,)] * 5)
    for result in results:
        await result.get(timeout=10)

    assert sum(stage.gaps) >= 0.35  # five starts at ten a second


@row("recipe 10", "call args", "call kwargs")
async def apply_async_takes_args_and_kwargs(stage: Stage) -> None:
    result = await tasks.multiply.apply_async(args=[4], kwargs={"y": 5})

    assert await result.get(timeout=10) == 20
    with pytest.raises(TypeError, match="missing a required argument: 'y'"):
        await tasks.multiply.apply_async((4,))


@row("recipe 11", "call countdown", "call eta")
async def it_starts_at_its_time_and_not_before(stage: Stage) -> None:
    began = datetime.now(UTC)
    naive = datetime.now() + timedelta(seconds=0.5)
    results = [
        await tasks.log.apply_async(("countdown",), countdown=0.5),
        await tasks.log.apply_async(("aware",), eta=began + timedelta(seconds=0.5)),
        await tasks.log.apply_async(("naive",), eta=naive),
    ]

    for result in results:
        await result.get(timeout=10)
        info = await result.info()
        assert info.started is not None
        assert timedelta(seconds=0.49) <= info.started - began < timedelta(seconds=5)


@row("recipe 12")
async def a_signature_is_called_here(stage: Stage) -> None:
    named = signature("rows.multiply", args=(4, 4), countdown=10)

    assert await named() == 16
    assert await tasks.multiply.subtask((4, 4))() == await tasks.multiply.s(4, 4)() == 16


@row("recipe 13")
async def a_signature_is_called_on_a_worker(stage: Stage) -> None:
    assert await (await tasks.multiply.s(4, 4).delay()).get(timeout=10) == 16
    assert await (await send_task("rows.multiply", (4, 4))).get(timeout=10) == 16


@row("recipe 14")
async def new_arguments_of_a_partial_go_first(stage: Stage) -> None:
    assert await (await tasks.log.s(stage.path).delay("Message")).get(timeout=10) == "Message"
    assert stage.lines == ["Message"]


@row("recipe 15", "call link")
async def a_callback_gets_the_result(stage: Stage) -> None:
    result = await tasks.multiply.apply_async((4, 4), link=tasks.log.s(stage.path))

    assert await result.get(timeout=10) == 16
    await wait_until(lambda: stage.lines == ["16"], "the callback")


@row("recipe 16")
async def an_immutable_callback_gets_none(stage: Stage) -> None:
    await tasks.multiply.apply_async((4, 4), link=tasks.log.si("Message", stage.path))

    await wait_until(lambda: stage.lines == ["Message"], "the callback")


@row("recipe 17")
async def sign_up_then_welcome(stage: Stage) -> None:
    """The program itself is run by tests/test_examples.py: here its shape, a task whose result goes to another."""
    created = await tasks.log.apply_async((42,), link=tasks.log.s(stage.path))

    assert await created.get(timeout=10) == 42
    await wait_until(lambda: stage.lines == ["42"], "the welcome")


@row("recipe 18")
async def get_gives_the_tasks_own_result(stage: Stage) -> None:
    result = await tasks.multiply.apply_async((4, 4), link=tasks.multiply.s(4))

    assert await result.get(timeout=10) == 16


@row("task bind")
async def a_bound_task_knows_its_job(stage: Stage) -> None:
    result = await tasks.bound.delay(stage.path)

    assert await result.get(timeout=10) == (result.id, 0, False)
    assert await tasks.bound(stage.path) == (None, 0, True)


@row("task aliases")
async def a_renamed_task_runs_under_its_old_name(stage: Stage) -> None:
    assert await (await send_task("rows.old_name")).get(timeout=10) == "still here"


@row("task queue")
async def a_task_has_its_queue(stage: Stage) -> None:
    assert await (await tasks.elsewhere.delay()).get(timeout=10) == "elsewhere"


@row("call queue")
async def a_call_may_name_another(stage: Stage) -> None:
    result = await tasks.elsewhere.apply_async(queue="default")

    assert await result.get(timeout=10) == "default"


@row("call headers")
async def a_call_takes_texts_along(stage: Stage) -> None:
    result = await tasks.headed.apply_async(headers={"tenant": "7"})

    assert await result.get(timeout=10) == {"tenant": "7"}


@row("task autoretry_for", "task retry_backoff", "task retry_backoff_max")
async def it_is_retried_by_itself_with_doubled_delays_up_to_the_most(stage: Stage) -> None:
    assert await (await tasks.auto.delay(stage.path, 4)).get(timeout=10) == 5

    first, *rest = stage.gaps
    assert 0.05 <= first < 1
    assert all(0.1 <= gap < 1 for gap in rest)


@row("task dont_autoretry_for")
async def an_excepted_error_is_not(stage: Stage) -> None:
    with pytest.raises(FileNotFoundError):
        await (await tasks.auto.delay(stage.path, 9, "FileNotFoundError")).get(timeout=10)
    assert len(stage.lines) == 1


@row("task retry_jitter")
async def delays_are_random_parts(stage: Stage) -> None:
    with pytest.raises(OSError, match="again"):
        await (await tasks.jitter.delay(stage.path)).get(timeout=20)

    assert len(stage.gaps) == 5
    assert min(stage.gaps) < 0.2  # all of five between 0.2 and 0.2 would be no jitter
    assert len({round(gap, 3) for gap in stage.gaps}) > 1


@row("task max_concurrency")
async def one_at_a_time(stage: Stage) -> None:
    for result in await tasks.narrow.apply_many([(stage.path,)] * 4):
        await result.get(timeout=10)

    assert stage.lines == ["start", "end"] * 4


@row("task unique")
async def two_calls_are_one_job(stage: Stage) -> None:
    first = await tasks.once.apply_async((stage.path,), countdown=1)
    second = await tasks.once.delay(stage.path)

    assert (second.id, second.existing) == (first.id, True)
    await first.get(timeout=10)
    assert stage.lines == ["start"]


@row("task time_limit")
async def it_is_ended_at_its_limit(stage: Stage) -> None:
    with pytest.raises(TimeLimitExceeded):
        await (await tasks.limited.delay()).get(timeout=10)


@row("task soft_time_limit")
async def it_may_clean_up(stage: Stage) -> None:
    assert await (await tasks.soft.delay()).get(timeout=10) == "cleaned up"


@row("task ignore_result")
async def its_result_is_not_stored(stage: Stage) -> None:
    assert await (await tasks.ignored.delay(stage.path)).get(timeout=10) is None
    assert stage.lines == ["ran"]


@row("task expires")
async def it_never_starts_once_expired(stage: Stage) -> None:
    result = await tasks.perishable.apply_async((stage.path,), countdown=0.3)

    with pytest.raises(TaskRevoked):
        await result.get(timeout=10)
    assert stage.lines == []


@row("call expires")
async def a_call_may_expire(stage: Stage) -> None:
    result = await tasks.log.apply_async(("m", stage.path), countdown=0.3, expires=timedelta(seconds=0.1))

    with pytest.raises(TaskRevoked):
        await result.get(timeout=10)
    assert stage.lines == []


@row("task acks_late")
async def it_never_runs_twice_though_its_worker_dies(stage: Stage) -> None:
    result = await tasks.fatal.delay(stage.path)
    log = Path(stage.path).with_name("doomed.log")

    with a_worker(stage.url, log, ROWS_QUEUES="doomed") as first:
        await wait_until(lambda: first.poll() is not None, "the first worker to die", timeout_s=20)
    with a_worker(stage.url, log, ROWS_QUEUES="doomed"), pytest.raises(WorkerLost):
        await result.get(timeout=30)
    assert stage.lines == ["ran"]


@row("task result_expires")
async def its_result_ends(stage: Stage) -> None:
    result = await tasks.forgotten.delay()

    assert await result.get(timeout=10) == "soon gone"
    await wait_until(lambda: _is(result, "UNKNOWN"), "the result to end")
    with pytest.raises(ResultUnknown):
        await result.get()


@row("task raises")
async def declared_exceptions_come_back_as_themselves(stage: Stage) -> None:
    with pytest.raises(tasks.Declared, match="seen"):
        await (await tasks.raises.delay(True)).get(timeout=10)
    with pytest.raises(RemoteError, match=r"Undeclared: unseen") as caught:
        await (await tasks.raises.delay(False)).get(timeout=10)
    assert "Remote traceback" in "".join(caught.value.__notes__)


@row("task process")
async def it_runs_in_a_process_of_the_worker(stage: Stage) -> None:
    pid, parent = await (await tasks.process.delay()).get(timeout=30)

    assert pid != parent
    assert os.getpid() not in (pid, parent)


@row("task strict")
async def its_arguments_are_checked(stage: Stage) -> None:
    assert await (await tasks.strict.delay(3)).get(timeout=10) == 3
    with pytest.raises(DoesNotFit, match="int is expected, not str"):
        await tasks.strict.delay("3")  # type: ignore[arg-type]


@row("task on_success", "task on_failure", "task on_retry")
async def its_hooks_are_called(stage: Stage) -> None:
    await (await tasks.hooked.delay(stage.path, 1)).get(timeout=10)
    with pytest.raises(OSError, match="not yet"):
        await (await tasks.hooked.delay(stage.path, 9)).get(timeout=10)

    error = "OSError('not yet')"
    assert stage.lines == [f"0: {error}", "1: 'well'", f"0: {error}", f"1: {error}"]


@row("call link_error")
async def an_error_callback_is_told(stage: Stage) -> None:
    await tasks.fail.apply_async((stage.path,), link_error=tasks.tell.s())

    await wait_until(lambda: stage.lines == ["rows.fail: ValueError('no luck'), True"], "the callback")


@row("call task_id")
async def one_id_is_one_job(stage: Stage) -> None:
    job_id = f"{stage.path}:once"
    first = await tasks.log.apply_async(("first", stage.path), task_id=job_id)
    second = await tasks.log.apply_async(("second", stage.path), task_id=job_id)

    assert first == second
    assert await second.get(timeout=10) == "first"
    assert stage.lines == ["first"]


@row("result revoke")
async def a_job_is_revoked(stage: Stage) -> None:
    waiting = await tasks.log.apply_async(("never", stage.path), countdown=60)
    running = await tasks.nap.delay(30)
    await wait_until(lambda: _is(running, "STARTED"), "the job to run")

    assert await waiting.revoke() == "PENDING"
    assert await running.revoke(terminate=True) == "STARTED"

    for result in (waiting, running):
        with pytest.raises(TaskRevoked):
            await result.get(timeout=10)


@row("result children")
async def a_workflow_names_its_members(stage: Stage) -> None:
    result = await group(tasks.multiply.s(i, 2) for i in range(3)).delay()

    assert await result.get(timeout=10) == [0, 2, 4]
    assert [await child.get(timeout=10) for child in await result.children()] == [0, 2, 4]


@row("result retry_failed")
async def only_a_failed_workflow_is_resumed(stage: Stage) -> None:
    result = await group(tasks.multiply.s(1, 2), tasks.log.s("x")).delay()
    await result.get(timeout=10)

    assert not await result.retry_failed()


@row("result reschedule")
async def a_waiting_job_is_moved(stage: Stage) -> None:
    result = await tasks.multiply.apply_async((4, 4), countdown=3600)

    assert await result.reschedule(datetime.now(UTC))
    assert await result.get(timeout=10) == 16
    assert not await result.reschedule(datetime.now(UTC))


@row("result info")
async def every_attempt_is_kept(stage: Stage) -> None:
    result = await tasks.flaky.delay(stage.path, 1)
    await result.get(timeout=10)

    info = await result.info()

    assert (info.task, info.attempts, info.retries) == ("rows.flaky", 2, 1)
    assert [attempt.outcome for attempt in info.history] == ["RETRY", "SUCCESS"]
    assert re.search("not yet", info.history[0].text)


@row("result meta", "result progress")
async def progress_is_followed(stage: Stage) -> None:
    result = await tasks.steps.delay()

    seen = [meta async for meta in result.progress()]

    assert seen[-1] == await result.meta() == {"done": 2}
    assert len(seen) <= 2


@row("result send_event")
async def a_job_gets_what_it_waits_for(stage: Stage) -> None:
    result = await tasks.asks.delay()

    await result.send_event("answer", "yes")

    assert await result.get(timeout=10) == "yes"


@row("result as_completed")
async def members_come_as_they_end(stage: Stage) -> None:
    result = await group(tasks.nap.s(0.5), tasks.log.s("at once")).delay()

    assert [await part.get() async for part in result.as_completed()] == ["at once", "rested"]


@row("result blocking")
async def a_thread_waits_for_a_result(stage: Stage) -> None:
    result = await tasks.log.delay("one")

    assert await asyncio.to_thread(result.blocking.get, timeout=10) == "one"


@row("result forget")
async def a_forgotten_id_is_free(stage: Stage) -> None:
    job_id = f"{stage.path}:again"
    began = time.monotonic()
    result = await tasks.log.apply_async(("one",), task_id=job_id)
    await result.get(timeout=10)

    await result.forget()

    assert await result.state() == "UNKNOWN"
    again = await tasks.log.apply_async(("two",), task_id=job_id)
    assert await again.get(timeout=10) == "two"
    assert time.monotonic() - began < 10


async def _is(result: Result, state: str) -> bool:
    return await result.state() == state
