"""The handle to a job: its state, its result, and how to revoke it, from any process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator, Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from typing import Any, Generic, Literal, overload
from uuid import UUID

from .. import encoding
from ..errors import EncodingError, RemoteError, ResultUnknown, TaskRevoked
from ..store import default, keys
from ..store.call import moment
from ..store.notifications import JobState
from ..store.outage import while_away
from ..store.store import Store
from ..store.stored_values import chunked, text
from ..tasks.blocking_calls import BlockingResult
from ..tasks.current import without_slot
from ..values import checks
from ..values.calls import Explains, all_awaited
from ..values.library_name import COMMAND
from ..workflows import members
from ..workflows.canvas import Node
from .job_info import JobInfo, read_info
from .plain_data import node_at, rebuilt
from .progress import heard
from .typed_workflows import R_co

_seconds = checks.or_none(checks.seconds)


@all_awaited
class Result(Explains, Generic[R_co]):
    """A job by its id, text or a UUID. Making one asks nothing; each method asks Redis."""

    def __init__(
        self: "Result[Any]", id: str | UUID, connection: Store | None = None, node: Node | None = None
    ) -> None:
        if not isinstance(id, str):
            id = checks.job_id("id", id)
        elif not id.isascii():
            checks.storable("id", id)  # else it would keep all that are asked for together from being read
        self.id: str = id
        self.existing = False  # Does the id belong to another call of a unique task? Known to what a call returns.
        self.replaced = False  # Has that job, which waited, taken the arguments of this call?
        self._own_connection = connection
        self._node = node  # What was called, if its tasks say of what their results are to be rebuilt.

    def __repr__(self) -> str:
        return f"<Result {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __await__(self) -> Generator[Any, None, R_co]:
        """`await result` is `await result.get()`."""
        return self.get().__await__()

    @property
    def blocking(self) -> BlockingResult[R_co]:
        """The same methods for plain code: `result.blocking.get()`."""
        return BlockingResult(self)

    @overload
    async def get(self, timeout: float | timedelta | None = None, propagate: Literal[True] = True) -> R_co: ...  # noqa: ASYNC109
    @overload
    async def get(self, timeout: float | timedelta | None = None, *, propagate: bool) -> Any: ...  # noqa: ASYNC109
    async def get(self, timeout: float | timedelta | None = None, propagate: bool = True) -> Any:  # noqa: ASYNC109
        """Wait for the job to end, at most *timeout* seconds (None: without end), and return what it returned.

        What it raised is raised here; with *propagate* False it is returned instead. ResultUnknown at once for
        an id that nobody has seen or whose result has ended; TimeoutError when time is up, which changes
        nothing for the job. Inside a job, its slot is free while it waits.
        """
        checks.flag("propagate", propagate)
        async with at_most(_seconds("timeout", timeout), f"job {self.id} has not ended", self.id):
            job = await without_slot(self._connection.notifications.wait_until_ended(self.id))
        success, value = self._decode(job)
        if success:
            return value if self._node is None else rebuilt(self._node, value)
        if propagate:
            raise value
        return value

    async def state(self) -> str:
        """PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED; or UNKNOWN, which is not PENDING."""
        job = await self._read()
        if job.state != "ENDED":
            return job.state
        try:
            success, value = self._decode(job)
        except EncodingError:  # another serializer's, or damaged: `get()` raises
            return "FAILURE"
        return "SUCCESS" if success else "REVOKED" if isinstance(value, TaskRevoked) else "FAILURE"

    status = state

    async def ready(self) -> bool:
        """Has it ended, well or badly?"""
        return await self.state() in ("SUCCESS", "FAILURE", "REVOKED")

    async def successful(self) -> bool:
        """Did it return?"""
        return await self.state() == "SUCCESS"

    async def failed(self) -> bool:
        """Did it end in an exception?"""
        return await self.state() == "FAILURE"

    async def revoke(self, terminate: bool = False) -> str:
        """Never start it if it waits; never retry it if it runs; with *terminate*, stop it there too.

        Of a workflow all parts are revoked, also those that are not enqueued yet. Returns the state it was in; a job
        that has ended keeps its result.
        """
        checks.flag("terminate", terminate)
        tree = await members.tree_of(self._connection, self.id)
        # a workflow first, stopped in any case: from then on none of its members is enqueued or started
        [state] = await revoke_all(self._connection, [self.id], terminate or tree is not None)
        if tree is not None:
            prefix = members.prefix_of(self.id, tree)
            unended = [prefix + path for path in await members.unended(self._connection, self.id, tree)]
            await revoke_all(self._connection, unended, terminate)
        return state

    async def children(self) -> "list[Result[Any]]":
        """The members of a workflow, in the order of its tree; of a single job, the callbacks that its end called."""
        ids = await members.children_of(self._connection, self.id)
        return [Result(job_id, self._connection) for job_id in ids]

    async def retry_failed(self) -> bool:
        """Begin a failed workflow, or a job with steps, again from what failed in it, keeping the rest. False if it has
        not failed, or is another job.
        """
        tree = await members.tree_of(self._connection, self.id)
        if tree is None:
            return bool(await _durable_events().run_again(self._connection, self.id))
        again = await members.to_do_again(self._connection, self.id, tree)
        prefix = members.prefix_of(self.id, tree)
        return bool(await self._connection.run_script("resume", self.id, prefix, *again))

    async def send_event(self, name: str, value: Any = None) -> bool:
        """Give the event *name* to this job, or to the member of this workflow, whose `wait_for_event(name)` returns
        *value*. It need not wait yet; False if it does not. EventRefused: it has ended, or is not known.
        """
        return bool(await _durable_events().send_event(self._connection, self.id, name, value))

    async def reschedule(self, eta: datetime) -> bool:
        """Move a waiting job, one that waits for its retry too, to *eta* (naive: local time); False if none waits."""
        due = moment(checks.moment("eta", eta))
        return bool(await self._connection.run_script("reschedule", self.id, due))

    async def info(self) -> JobInfo:
        """The job's record: times, worker, and every attempt with its traceback. ResultUnknown if there is none."""
        state = await self.state()
        record: Any = await self._connection.execute_command("HGETALL", self._connection.key.RECORD + self.id)
        if state == "UNKNOWN" or not record:
            raise ResultUnknown(f"no job {self.id!r}: nobody has seen this id, or its record has ended")
        return read_info(self.id, state, record)

    async def meta(self) -> Any:
        """What the job last reported by `self.update_state(meta=...)`; None if nothing."""
        job = await self._read()
        return encoding.loads(job.meta) if job.meta else None

    async def progress(self) -> AsyncIterator[Any]:
        """Each meta that the job reports, from the latest on, until it has ended. One that is slow may skip some."""
        seen = b""
        async for _ in heard(self._connection, self._connection.key.PROGRESS + self.id, self.id):
            job = await while_away(self._read)
            if job.meta and job.meta != seen:
                seen = job.meta
                yield encoding.loads(seen)

    async def as_completed(self) -> "AsyncIterator[Result[Any]]":
        """The members of a workflow, each as it ends, well or badly, until the workflow itself has ended.

        `get()` of one that it gives does not wait. A member that was not called is not given. ResultUnknown for an id
        that is no workflow, or one whose result has ended.
        """
        connection = self._connection
        root = await while_away(lambda: members.root_of(connection, self.id))
        if root is None:
            raise ResultUnknown(f"no workflow {self.id!r}: nobody has seen this id, or its result has ended")
        prefix = members.prefix_of(self.id, root)
        given: set[str] = set()
        async for messages in heard(connection, connection.key.ENDS + self.id, self.id):
            look = partial(members.newly_ended, connection, self.id, messages, given)
            for path in await while_away(look):
                given.add(path)
                if not members.is_callback(path):
                    yield Result(prefix + path, connection, node_at(self._node, path))

    async def forget(self) -> None:
        """Drop the result of an ended job: its id is free again. A job that has not ended keeps everything."""
        await self._connection.run_script("forget", self.id)

    async def _read(self) -> JobState:
        [job] = await self._connection.notifications.read([self.id])
        return job

    def _decode(self, job: JobState) -> tuple[bool, Any]:
        if job.result:
            try:
                stored = self._connection.loads(job.result)
                success, value = stored["s"], stored["r"]
            except EncodingError:
                if not job.result.startswith(b"\x80"):
                    raise
                why = "arq pickled it: connect(..., job_deserializer=pickle.loads) reads it, and runs any code in it"
                raise EncodingError(f"the result of job {self.id}: {why}") from None
            except (TypeError, KeyError) as error:
                raise EncodingError(f"what is kept as the result of job {self.id} is none") from error
            if success or isinstance(value, BaseException):
                return success, value
            return False, RemoteError("SerializationError", str(value))
        if job.state == "SUCCESS":
            return True, None
        if job.state == "REVOKED":
            return False, TaskRevoked(f"job {self.id} was revoked")
        if job.state == "UNKNOWN":
            return False, ResultUnknown(f"no job {self.id!r}: nobody has seen this id, or its result has ended")
        return False, RemoteError("Exception", f"job {self.id} failed; its result was not kept")

    @property
    def _connection(self) -> Store:
        return self._own_connection or default.current()


AsyncResult = Result


def _durable_events() -> Any:
    return import_module("..contrib.durable.events", __package__)


async def revoke_all(
    connection: Store, ids: Sequence[str], terminate: bool = False, only_waiting: bool = False
) -> list[str]:
    """Revoke many jobs; returns the states they were in. With *only_waiting*, one that has started is left alone."""
    how: str | int = "waiting" if only_waiting else int(terminate)
    states: list[str] = []
    for some in chunked(ids):
        args: list[str | bytes | int] = [how, keys.RESULT_EXPIRES_MS, keys.HISTORY_LENGTH, 6]
        for job_id in some:
            args += [job_id, revoked_fields(job_id)]
        states += map(text, await connection.run_script("revoke", *args))
    return states


def revoked_fields(job_id: str) -> bytes:
    """The result fields of a revoked job, without their own map header: revoking.lua joins them to the payload's."""
    revoked = TaskRevoked(f"job {job_id} was revoked")
    rest = {"s": False, "r": revoked, "st": 0, "ft": 0, "q": keys.DEFAULT_QUEUE, "id": job_id}
    return encoding.dumps(rest)[1:]


@contextlib.asynccontextmanager
async def at_most(limit_s: float | None, late: str, job_id: str) -> AsyncIterator[None]:
    """TimeoutError when time is up: it says what is *late*, and how to find out why."""
    try:
        async with asyncio.timeout(limit_s) as timer:
            yield
    except TimeoutError:
        if not timer.expired():
            raise
        raise TimeoutError(f"{late} after {limit_s:g} s; `{COMMAND} why {job_id}` says why") from None
