"""What `self.step`, `self.run`, `self.sleep` and `self.wait_for_event` do in a job on a worker."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Any

from ...client.callables import is_async
from ...errors import DoesNotFit, EncodingError, NotUnique
from ...store.cancellation import retrieve_exception, wait_at_most
from ...tasks.current import CurrentJob
from ...values import checks
from ...values.sendable import check, too_large
from ...worker.execution.claimed_job import HeldJob, Outcome
from ...workflows.members import read_entry
from .children import Child

from .entries import (  # isort: skip
    CALLED, DEFAULTED, DONE, EVENT, FAILED, RUN, SLEEP, SLEEPS, STEP, TIMED_OUT, WAITS, Entry, digest_of,
)  # fmt: skip
from .history import History, Name
from .log import ClaimLost, RedisLog
from .suspension import Suspension, Wait
from .trying import StepOptions, check_function, key_here, read_options, refuse_inside, refuse_timeout, result_of, tried

LAST_RECORD_S = 5  # How long a cancelled run waits until what a step did is recorded.
_NO_DEFAULT = object()


class DurableCalls:
    """Those of one run of one job."""

    def __init__(self, job: CurrentJob, held: HeldJob) -> None:
        self._job, self._held, self._redis = job, held, held._redis
        self._log = (self._redis.steps or RedisLog)(held)
        self.history = History(self._log, held.job.steps)
        self._suspension = Suspension(job, held, self.history)
        self._in_threads = set[asyncio.Task[Any]]()
        held.job.steps = 1

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._held.slot.loop

    def note_lost(self) -> None:
        self._suspension.note_lost()

    def key_of(self, use: Name) -> str:
        return f"{self._held.job.id}:{use.shown}"

    async def judged(self, outcome: Outcome) -> Outcome:
        return await self._suspension.judged(outcome)

    @property
    def step_key(self) -> str:
        return key_here()

    async def step(self, name: str, function: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
        check_function(name, function)
        options, kwargs = read_options(given)
        refuse_timeout(name, function, options)
        use = self.name_of(name, function, args, kwargs, options)
        async with self._under_way(use):
            entry, is_new = await self.history.find(use, DONE + FAILED, options.on_change), False
            if entry is None:
                call, is_new = partial(function, *args, **kwargs), True
                perform = self._perform if is_async(function) else self._perform_in_thread
                entry = await perform(use, function, call, options)
        return await self.came_to(entry, function, is_new)

    def step_in_thread(self, name: str, function: Callable[..., Any], /, *args: Any, **given: Any) -> Any:
        in_thread = import_module(".in_thread", __package__)
        return in_thread.step_in_thread(self, name, function, args, given)

    def name_of(self, name: str, function: Any, args: Any, kwargs: Any, options: StepOptions) -> Name:
        refuse_inside()
        what = str(getattr(function, "__qualname__", getattr(function, "name", type(function).__name__)))
        digest = "" if options.key is not None else digest_of(what, args, kwargs)
        return self.history.name(STEP, name, options.key, options.aliases, digest)

    async def came_to(self, entry: Entry, function: Any, is_new: bool) -> Any:
        """What a step returned or raised, as every later run has it too."""
        if is_new and self._redis.replays:
            await self._suspension.wait(Wait(None, self._log.now_ms()))
        if entry.letter == FAILED:
            raise entry.value
        annotations = result_of(function)
        return entry.value if annotations is None else annotations.result("read", entry.value)

    async def run(self, call: Any, *, name: str, key: Any, aliases: Any = (), on_change: str = "fail") -> Any:
        refuse_inside()
        child = Child(call)
        use = self.history.name(RUN, name or child.name, key, checks.names("aliases", aliases), child.digest)
        async with self._under_way(use):
            if await self.history.find(use, CALLED, on_change) is None:
                made = await child.call(self._redis, self._job, use.field)
                entry = self.history.entry(use, CALLED, self._log.now_ms(), 0).packed()
                self.history.calls.add(use.field)
                try:
                    await self._log.call(use.field, entry, made)
                except NotUnique:
                    self.history.note_refused(use, entry)
                    raise
                self.history.steps[use.field] = entry
        ended = next((self.history.journal[one] for one in use.fields() if one in self.history.journal), None)
        if ended is None:
            await self._suspension.wait(Wait(use))
        success, value = read_entry(ended or b"")
        if not success:
            raise value
        return child.rebuilt(value)

    async def sleep(self, span: float | timedelta, *, name: str, key: Any) -> None:
        refuse_inside()
        seconds = checks.seconds("span", span, least=0)
        use = self.history.name(SLEEP, name, key)
        async with self._under_way(use):
            entry, now = await self.history.find(use, SLEEPS), self._log.now_ms()
            if entry is None:
                entry = await self.history.record(use, SLEEPS, now, now + int(seconds * 1000))
        if entry.ended > self._log.now_ms():
            await self._suspension.wait(Wait(use, entry.ended))

    async def wait_for_event(self, name: str, timeout: Any, default: Any = _NO_DEFAULT) -> Any:  # noqa: ASYNC109
        refuse_inside()
        seconds = checks.or_none(partial(checks.seconds, least=0))("timeout", timeout)
        use, has_default = self.history.name(EVENT, name), default is not _NO_DEFAULT
        async with self._under_way(use):
            entry, now = await self.history.find(use, WAITS), self._log.now_ms()
            if entry is None:
                until = 0 if seconds is None else now + int(seconds * 1000)
                entry = await self.history.record(use, WAITS, now, until)
            found = self.history.journal.get(use.field)
            if found is None and entry.ended and entry.ended <= self._log.now_ms():
                found = await self.history.time_out(use, has_default)
        if found is None:
            await self._suspension.wait(Wait(use, entry.ended))
        if found in (TIMED_OUT, DEFAULTED):
            if has_default:
                return default
            raise TimeoutError(f"the event {name!r} has not come")
        return read_entry(found or b"")[1]

    @asynccontextmanager
    async def _under_way(self, use: Name) -> AsyncIterator[None]:
        self.begin(use)
        try:
            yield
        except ClaimLost:
            self.note_lost()
            self._suspension.check()
        finally:
            self.end(use)

    def begin(self, use: Name) -> None:
        self._suspension.check()
        self.history.open(use)
        self._suspension.begin()

    def end(self, use: Name) -> None:
        self.history.close(use)
        self._suspension.end()

    async def _perform(self, use: Name, function: Any, call: Callable[[], Any], options: StepOptions) -> Entry:
        """Run it and record that. A cancelled run waits for the record: what was done is not done again."""
        started = self._log.now_ms()
        letter, value = await tried(call, options, self.key_of(use))
        recording = asyncio.ensure_future(self.record(use, function, started, letter, value))
        try:
            return await asyncio.shield(recording)
        except asyncio.CancelledError:
            if not recording.done():
                recording.add_done_callback(retrieve_exception)
                await wait_at_most(LAST_RECORD_S, asyncio.wait([recording]))
            raise

    async def _perform_in_thread(self, use: Name, function: Any, call: Callable[[], Any], options: Any) -> Entry:
        """The same. A thread cannot be stopped: a released job waits for it, as for that of a `def` task."""
        loop = asyncio.get_running_loop()

        async def in_thread() -> Any:
            return await loop.run_in_executor(self._job.executor, contextvars.copy_context().run, call)

        work = asyncio.create_task(self._perform(use, function, in_thread, options))
        self._in_threads.add(work)
        self._job.thread = asyncio.gather(*self._in_threads, return_exceptions=True)
        work.add_done_callback(self._in_threads.discard)
        work.add_done_callback(retrieve_exception)
        return await asyncio.shield(work)

    async def record(self, use: Name, function: Any, started: int, letter: str, value: Any) -> Entry:
        """What a step came to. What cannot be recorded is its failure: it is done, and not to be done again."""
        ended, plain = self._log.now_ms(), value
        try:
            if letter == DONE and (annotations := result_of(function)) is not None:
                plain = annotations.result("write", value)
            entry = self.history.entry(use, letter, started, ended, plain)
            checked(use, entry, self._redis.size_limit)
        except (DoesNotFit, EncodingError) as error:
            letter, plain = FAILED, error
        entry = await self.history.record(use, letter, started, ended, plain)
        return as_read(entry) if letter == FAILED else entry


def checked(use: Name, entry: Entry, limit: int) -> None:
    check(entry.value)
    if (size := len(entry.packed())) > limit:
        raise too_large(f"the step {use.shown!r} takes", size, limit)


def as_read(entry: Entry) -> Entry:
    """A failure as every later run has it: its exception may be of a class that is not declared."""
    read = Entry.read(entry.packed())
    if type(read.value) is type(entry.value):
        return entry
    read.value.__cause__ = entry.value
    return read
