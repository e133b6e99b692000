"""The connection to Redis: where calls are stored and results are read. `connect()` makes one the process's default."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from arq.connections import ArqRedis
from arq.jobs import Job
from redis.asyncio.connection import ConnectionPool

from jobs import checks, default, encoding, keys, schedule_info, scripts, travel
from jobs.awaiting import all_awaited
from jobs.calling import Call, Moment, call_of, moment, refuse_reserved_id
from jobs.canvas import Node
from jobs.errors import EncodingError, QuarqError, SettingsMistake, TooLarge
from jobs.known_tasks import declared
from jobs.limits import as_stored, parse_rate_limit
from jobs.loops import Loops
from jobs.mailbox import Mailbox
from jobs.partial import with_callbacks
from jobs.pool import POOL_OPTIONS, Pipeline
from jobs.redis_url import RedisURL
from jobs.result import Result
from jobs.settling import NOTHING, Settled, strangers

SIZE_LIMIT = 256 * 1024
"""Bytes that one call's arguments, or one result, may take."""

_OPTIONS = {
    "job_serializer": checks.or_none(checks.function),
    "job_deserializer": checks.or_none(checks.function),
    "default_queue_name": checks.queue_key,
    "expires_extra_ms": checks.count,
}

TAKEN, NEW, REFUSED, CLASH = 0, 1, 2, 3
"""What became of a call: see enqueue.lua."""


@all_awaited
class JobsRedis(ArqRedis):
    """arq's Redis, with an `enqueue_job` that loses nothing, and the calls that tasks and results make.

    Everything else is redis-py's. Its commands and pipelines are tried again for `patience_s` while Redis is away, then
    raise QueueUnavailable. One whose answer was lost may run twice. Claims and finishes never do: they run on lines of
    their own. It may be used from several event loops and threads: each loop has its own sockets.
    """

    wins = False
    """Is it used in place of every connection that is made while it is the default?"""

    def __init__(self, pool_or_conn: ConnectionPool | None = None, **options: Any) -> None:
        self.dumps: Callable[[Any], bytes] = options.get("job_serializer") or encoding.dumps
        """What encodes calls and results: ours, unless another serializer was given."""
        options["job_serializer"] = self.dumps
        given = options.get("job_deserializer")
        self.loads = encoding.first_that_can(given, encoding.loads_stored)
        """What decodes them, and what scripts and other processes wrote with ours."""
        options["job_deserializer"] = encoding.first_that_can(given, encoding.loads_job)
        self._expires_extra_ms: int | None = options.get("expires_extra_ms")
        self._ready = False
        super().__init__(pool_or_conn, **options)
        self._ready = True
        self.size_limit = SIZE_LIMIT
        self.patience_s = 2.0
        """How long a call, and every other question, waits for a Redis that is away before QueueUnavailable."""

    @classmethod
    def at(cls, url: str, *, answer_s: float = 5, **options: Any) -> JobsRedis:
        """A client of the Redis at *url* (redis://, rediss:// or unix://). Nothing is sent yet.

        Options: `job_serializer`, `job_deserializer`, `default_queue_name`, `expires_extra_ms`, as arq documents them.
        A command without an answer in *answer_s* seconds has failed; `?socket_timeout=` in the address changes that.
        BadRedisURL says what is wrong with the address, SettingsMistake that there is no such option.
        """
        for option in options.keys() - _OPTIONS:
            raise SettingsMistake(
                f"there is no option {option!r} of a connection: user, password, database and TLS are part of the "
                "URL, such as redis://user:password@host:6379/3"
            )
        with checks.as_settings_mistake():
            checks.seconds("answer_s", answer_s)
            for option, value in options.items():
                _OPTIONS[option](option, value)
        client = cls(RedisURL.read(url).pool(socket_timeout=answer_s, **POOL_OPTIONS), **options)
        client.auto_close_connection_pool = True
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """What each command of redis-py calls, but those in a pipeline."""
        command = super().execute_command
        return await self.mailbox.ask(lambda: command(*args, **options))  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """redis-py's: several commands at once."""
        return Pipeline(self, transaction, shard_hint)

    @property
    def connection_pool(self) -> ConnectionPool:
        """The connections of the running loop: a socket belongs to the loop that opened it."""
        if self._ready:
            with contextlib.suppress(RuntimeError):  # no loop is running
                return self._loops.here().pool
        return self._loops.pool

    @connection_pool.setter
    def connection_pool(self, pool: ConnectionPool) -> None:
        self._loops = Loops(pool, lambda: self.patience_s)

    @property
    def mailbox(self) -> Mailbox:
        """What hears of the ends of jobs, in the running loop."""
        return self._loops.here().mailbox

    @property
    def is_own_encoding(self) -> bool:
        """Was no other serializer given?"""
        return self.dumps is encoding.dumps and self.loads is encoding.loads_stored

    async def enqueue(self, calls: Sequence[Call]) -> list[int]:
        """Store calls. For each: NEW; TAKEN where its id is; REFUSED where its workflow was revoked; CLASH where its id
        is that of a member of a workflow, or, of a member, that of another job. What is stored survives any crash.

        Calls made while another is under way travel together. A call whose answer was lost is sent again, which changes
        nothing if it had arrived. QueueUnavailable: Redis was away for `patience_s`; the calls may have been stored.
        """
        return await self._loops.here().sender.send(calls, self.patience_s)

    def encode_call(
        self,
        task: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        job_try: int | None = None,
        options: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> bytes:
        """The call in arq's own shape; EncodingError or TooLarge before anything is sent.

        With a *limit* it is a call that the library makes of values that were taken before: those may be wrapped.
        """
        now = int(time.time() * 1000)
        call: dict[str, Any] = {"t": job_try, "f": task, "a": list(args), "k": dict(kwargs), "et": now}
        if options:
            call["o"] = options
        if self.is_own_encoding:
            depth = travel.DEPTH if limit is None else encoding.WRAPPED
            travel.check_all((*args, *kwargs.values()), depth, limit or self.size_limit)
            payload = encoding.pack(call)
        else:
            payload = self.dumps(call)
        if len(payload) > (limit or self.size_limit):
            raise TooLarge(
                f"the arguments take {len(payload):,} bytes; {limit or self.size_limit:,} are allowed"
            )
        return payload

    async def enqueue_job(
        self,
        function: str,
        *args: Any,
        _job_id: str | None = None,
        _queue_name: str | None = None,
        _defer_until: datetime | None = None,
        _defer_by: int | float | timedelta | None = None,
        _expires: int | float | timedelta | None = None,
        _job_try: int | None = None,
        **kwargs: Any,
    ) -> Job | None:
        """arq's `enqueue_job`, on our script; None if the id is taken. `_expires` counts from now, as arq's does; a job
        without it expires only if the connection was given `expires_extra_ms`: so long after it is due.

        TypeError: an option of the wrong type. WrongValue: one with a value that it cannot have.
        """
        if _defer_until and _defer_by:
            raise RuntimeError("use either 'defer_until' or 'defer_by' or neither, not both")
        due = _moment("_defer_until", _defer_until) or _seconds("_defer_by", _defer_by) or None
        expires: Moment = _seconds("_expires", _expires)
        if not expires and self._expires_extra_ms is not None:
            extra_s = self._expires_extra_ms / 1000
            expires = due + timedelta(seconds=extra_s) if isinstance(due, datetime) else (due or 0) + extra_s
        checks.name("function", function)
        key = checks.queue_key("_queue_name", _queue_name or self.default_queue_name)
        job_id = checks.job_id("_job_id", _job_id) if _job_id else uuid4().hex
        refuse_reserved_id(job_id)
        if _job_try is not None:
            _job_try = checks.count("_job_try", _job_try)
        call = Call(
            job_id,
            keys.queue_name(key),
            self.encode_call(function, args, kwargs, _job_try),
            function,
            due=moment(due),
            expires=moment(expires),
        )
        [answer] = await self.enqueue([call])
        return (
            Job(job_id, self, _queue_name=key, _deserializer=self.job_deserializer) if answer == NEW else None
        )

    async def submit(self, node: Node, options: Mapping[str, Any]) -> Result:
        """Store a call, or a whole workflow; returns its Result."""
        [result] = await self.submit_many([node], options)
        return result

    async def declare_limits(
        self, task: str, rate_limit: str | float | None, max_concurrency: int | None
    ) -> None:
        """What a worker says of a task at its start: for all workers, until an operator says otherwise."""
        holders = "" if max_concurrency is None else max_concurrency
        while await self.run_script(scripts.LIMIT, task, as_stored(parse_rate_limit(rate_limit)), holders, 0):
            pass

    async def set_rate_limit(self, task: str, rate_limit: str | float | None) -> None:
        """Change a task's rate for all workers, for good; waiting jobs get new places. None: no limit."""
        rate = as_stored(parse_rate_limit(rate_limit))
        await self.run_script(scripts.LIMIT, checks.name("task", task), rate, "", 1)

    schedules = schedule_info.listed
    pause_schedule, resume_schedule = schedule_info.pause, schedule_info.resume
    forget_schedule = schedule_info.forget

    async def run_schedule(self, name: str) -> Result:
        """Run it now, paused or not; its own moments stay as they are."""
        return Result(await schedule_info.steer(self, name, "now"), self)

    async def submit_many(self, nodes: Iterable[Node], options: Mapping[str, Any]) -> list[Result]:
        """Store many calls at once. All are checked before the first is sent; Results are in the order given."""
        several, options = list(nodes), with_callbacks(options)
        try:
            known = await self._declared(strangers((node, options) for node in several))
            calls = [call_of(self, node, options, known) for node in several]
        except RecursionError:
            raise EncodingError(
                "workflows or callbacks are nested too deep: make it flat, or let a task call the rest"
            ) from None
        answers = await self.enqueue(calls)
        if CLASH in answers:
            clashing = calls[answers.index(CLASH)].id
            raise QuarqError(
                f"task_id={clashing!r:.80}: a member of a workflow has this id; give another one"
            )
        return [Result(call.id, self) for call in calls]

    async def _declared(self, names: set[str]) -> Settled:
        """What workers have declared of tasks that this process does not know. Asks nothing for none."""
        return await declared(self, sorted(names)) if names else NOTHING

    async def run_script(self, script: scripts.Script, *args: str | bytes | int) -> Any:
        """Run a script that may safely run twice, on a connection of the pool."""
        return await self.mailbox.run(script, args)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close every connection, in the loops of other threads too. Calls that were not answered yet raise."""
        pool_too = self.auto_close_connection_pool if close_connection_pool is None else close_connection_pool
        await self._loops.close(pool_too=pool_too)


@contextlib.asynccontextmanager
async def connect(redis_url: str, **options: Any) -> AsyncIterator[JobsRedis]:
    """Make the Redis at *redis_url* the one that `.delay()` uses in this whole process, until the block ends.

    Does not wait for Redis to be there: a call does. Options: see `JobsRedis.at`. Inside `jobs.testing.eager()` it
    yields the connection of that.
    """
    own = JobsRedis.at(redis_url, **options)
    connection = default.winner() or own
    with default.connected(connection):
        try:
            yield connection
        finally:
            await own.aclose()


_moment, _seconds = checks.or_none(checks.moment), checks.or_none(checks.seconds)
