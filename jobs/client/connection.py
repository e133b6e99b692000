"""The connection to Redis: where calls are stored and results are read, and how one becomes the process's default."""

import contextlib
import copy
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import repeat
from typing import Annotated, Any, Self, TypedDict, Unpack, get_type_hints
from uuid import uuid4

from arq.jobs import Job

from ..errors import NotUnique, QuarqError, SettingsMistake
from ..store import default, keys
from ..store.call import Call, Moment, moment
from ..store.redis_url import POOL_OPTIONS, RedisURL
from ..store.store import CLASH, NEW, Store
from ..store.stored_values import text
from ..tasks import limits
from ..tasks.declarations import declared
from ..tasks.limits import Limits
from ..tasks.parameters import ANNOTATED
from ..tasks.rate_limit import stored_rate
from ..values import checks
from ..values.calls import all_awaited, awaited, explained
from ..workflows.canvas import Node, Signature
from ..workflows.node import with_callbacks
from ..workflows.task_table import NOTHING, strangers
from .middleware import Middleware, OutgoingCall, check_middleware, sent, steps_of, through, with_automatic
from .plain_data import kept_of, with_plain_data
from .result import Result
from .submit import calls_of, refuse_reserved_id

_FUNCTION = checks.or_none(checks.function)


class ConnectionKeywords(TypedDict, total=False):
    """The options of a connection, so that a type checker knows them. Next to its type is what checks the value."""

    answer_s: Annotated[float, checks.seconds]
    """A command without an answer in this time has failed, 5 unless given; `?socket_timeout=` in the address wins."""
    job_serializer: Annotated[Callable[[Any], bytes] | None, _FUNCTION]
    """Encodes calls in place of ours; workers need the same."""
    job_deserializer: Annotated[Callable[[bytes], Any] | None, _FUNCTION]
    """Decodes results."""
    default_queue_name: Annotated[str, keys.checked_queue_key]
    """The key of Redis that `enqueue_job()` writes to."""
    expires_extra_ms: Annotated[int, checks.count]
    """A job of `enqueue_job()` expires so long after it is due, in ms; without it, never."""
    middleware: Annotated[Sequence[Middleware], check_middleware]
    """The `send` of each is around every call, the first outermost."""


_CHECKS = {name: hint.__metadata__[0] for name, hint in get_type_hints(ConnectionKeywords, include_extras=True).items()}


@all_awaited
class JobsRedis(Store):
    """arq's Redis, with an `enqueue_job` that loses nothing, and the calls that tasks and results make.

    Everything else is redis-py's. Its commands and pipelines are tried again for `patience_s` while Redis is away, then
    raise QueueUnavailable. One whose answer was lost may run twice. Claims and finishes never do: they run on lines of
    their own. It may be used from several event loops and threads: each loop has its own sockets.
    """

    def __init__(self, pool: Any = None, *, middleware: Sequence[Middleware] = (), **options: Any) -> None:
        self.middleware = tuple(middleware)
        super().__init__(pool, **options)

    @classmethod
    def at(cls, url: str, **options: Any) -> Self:
        """A client of the Redis at *url* (redis://, rediss:// or unix://). Nothing is sent yet.

        Options: see ConnectionKeywords; arq documents its own.
        BadRedisURL says what is wrong with the address, SettingsMistake that there is no such option.
        """
        for option in options.keys() - _CHECKS.keys():
            raise SettingsMistake(
                f"there is no option {option!r} of a connection: user, password, database and TLS are part of the "
                f"URL, such as redis://user:password@host:6379/3; {checks.hint(option, [*_CHECKS])}"
            )
        with checks.as_settings_mistake():
            for option, value in options.items():
                _CHECKS[option](option, value)
        answer_s = options.pop("answer_s", 5)
        client = cls(RedisURL.read(url).pool(socket_timeout=answer_s, **POOL_OPTIONS), **options)
        client.auto_close_connection_pool = True
        return client

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
        without it expires only if the connection was given `expires_extra_ms`: this long after it is due.

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
        key = keys.checked_queue_key("_queue_name", _queue_name or self.default_queue_name)
        job_id = checks.job_id("_job_id", _job_id) if _job_id else uuid4().hex
        refuse_reserved_id(job_id)
        if _job_try is not None:
            _job_try = checks.count("_job_try", _job_try)
        queue = self.key.queue_name(key)
        plain = with_plain_data(Signature(function, args, kwargs))
        payload = self.encode_call(function, plain.args, plain.kwargs, _job_try)
        call = Call(job_id, queue, payload, function, due=moment(due), expires=moment(expires))
        [answer] = await self.enqueue([call])
        if answer != NEW:
            return None
        # arq's Job reads keys without a prefix, as `all_job_results()` and `queued_jobs()` do
        return Job(job_id, self, _queue_name=self.key.queue_key(queue), _deserializer=self.job_deserializer)

    async def submit(self, node: Node, options: Mapping[str, Any]) -> Result:
        """Store a call, or a whole workflow; returns its Result."""
        [result] = await self.submit_many([node], options)
        return result

    async def declare_limits(self, task: str, rate_limit: Limits, max_concurrency: Limits) -> None:
        """Store the limits that a worker declares at its start, for all workers; what an operator has set stays."""
        rate, most = stored_rate(limits.own_limit(rate_limit)), limits.own_limit(max_concurrency)
        keyed = limits.packed(rate_limit, max_concurrency) or "-"
        declared = "rate", rate or "-", "holders", most or "-", "keyed", keyed
        while await self.run_script("set_limits", task, "", *declared):
            pass

    async def submit_many(self, nodes: Iterable[Node], options: Mapping[str, Any]) -> list[Result]:
        """Store many calls at once. All are checked before the first is sent; Results are in the order given."""
        options = with_callbacks(options) if options else options
        pairs, calls = [(node, options) for node in nodes], list[Call]()
        unknown = strangers(pairs)
        known = await declared(self, sorted(unknown)) if unknown else NOTHING
        middleware = with_automatic(self.middleware)
        if not middleware or not (steps := steps_of(middleware, "send")):
            calls = calls_of(self, pairs, known)
            existing = await self._store(calls)
            kept = map(kept_of, (node for node, _ in pairs)) if ANNOTATED else repeat(None)
            results = [Result(call.id, self, node) for call, node in zip(calls, kept, strict=False)]
            return _of_existing(results, existing, calls) if existing else results

        async def arrive(outgoing: OutgoingCall) -> Result:
            [call] = calls_of(self, [outgoing.pair()], known)
            result = Result(call.id, self, kept_of(outgoing.node) if ANNOTATED else None)
            if len(pairs) == 1:
                _of_existing([result], await self._store([call]), [call])
            else:  # when all have come through
                calls.append(call)
            return result

        results = [sent(await through(steps, arrive)(OutgoingCall.of(pair))) for pair in pairs]
        return _of_existing(results, await self._store(calls), calls)

    async def _store(self, calls: list[Call]) -> dict[str, tuple[str, bool]]:
        """Of calls that another job's key has kept from being stored: its id, and whether it has taken theirs."""
        answers = await self.enqueue(calls) if calls else []
        if CLASH in answers:
            clashing = calls[answers.index(CLASH)].id
            raise QuarqError(f"task_id={clashing!r:.80}: a member of a workflow has this id; give another one")
        return {
            call.id: (text(answer[0]), True) if isinstance(answer, list) else (text(answer), False)
            for call, answer in zip(calls, answers, strict=True)
            if not isinstance(answer, int)
        }


def _of_existing(
    results: list[Result], existing: Mapping[str, tuple[str, bool]], calls: Sequence[Call]
) -> list[Result]:
    for result in results:
        if result.id in existing:
            result.existing, (result.id, result.replaced) = True, existing[result.id]
    for call in calls if existing else ():
        if call.id in existing and "error" in call.unique[3:4]:
            refused = NotUnique(call.task, existing[call.id][0])
            refused.results = results
            raise refused
    return results


@explained
@contextlib.asynccontextmanager
async def connect(redis_url: str, **options: Unpack[ConnectionKeywords]) -> AsyncIterator[JobsRedis]:
    """Make the Redis at *redis_url* the one that `.delay()` uses in this whole process, until the block ends.

    Does not wait for Redis to be there: a call does. Options: see `JobsRedis.at`. In eager mode and while a
    worker of a test runs it yields their connection, whose calls go through the `middleware` given here first.
    """
    connection = own = JobsRedis.at(redis_url, **options)
    if (winner := default.winner()) is not None:
        connection = copy.copy(winner)
        connection.middleware = (*own.middleware, *(one for one in winner.middleware if one not in own.middleware))
    with default.connected(connection):
        try:
            yield connection
        finally:
            await own.aclose()


@awaited
async def open_connection(redis_url: str, **options: Unpack[ConnectionKeywords]) -> JobsRedis:
    """Make the Redis at *redis_url* the one that `.delay()` uses in this process, until `await connection.aclose()`.

    For places without a block: a notebook, `python -m asyncio`. As in `connect()`, a call is the first to need Redis.
    A second one takes the place of the first, which it closes: a cell may be run again, and results of before still
    answer. Blocks win: inside `connect()`, eager mode and a test's worker their connection is used.
    """
    connection = JobsRedis.at(redis_url, **options)
    for earlier in default.keep(connection):
        await earlier.aclose()
    return connection


_moment, _seconds = checks.or_none(checks.moment), checks.or_none(checks.seconds)
