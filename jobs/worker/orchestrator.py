"""Evaluates a stored workflow on a worker: enqueues its tasks, hears of their ends, and can be replayed at any moment.

The tree is stored once, under the workflow's id. Each member's job id is made of that id and the member's path, and the
script that ends a member writes its result into the workflow's journal. So a second evaluation makes the
same calls, and finds in the journal what has been done: nothing else has to survive a crash.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..client.decorator import task
from ..client.submit import NAMED_WORKFLOW, WORKFLOW, Caller, member_call
from ..errors import QuarqError, QueueUnavailable, RemoteError
from ..store import default
from ..store.call import Answer, Call, refuse
from ..store.cancellation import wait_at_most
from ..store.outage import Outage
from ..store.store import CLASH, NEW, REFUSED, TAKEN, Store
from ..store.stored_values import chunked, text
from ..tasks.current import CurrentJob, without_slot
from ..workflows import members
from ..workflows.canvas import Node, Path, Signature, evaluate
from ..workflows.members import MemberFailed, Parked, Revoked, read_entry
from ..workflows.stored_tree import from_dict, read

logger = logging.getLogger("arq.worker.jobs")

COMPARE_S = 30  # How often to compare the journal with the messages received, in case one was lost.
PARK_AFTER_S = 60  # A workflow that is idle for longer is parked; the end of a member resumes it.
MANY_WORKFLOWS = 1_000  # If a worker has more workflows, idle ones are parked at once.
REPORTS_A_SECOND = 5
SENT_TOGETHER = 500  # Members whose calls are enqueued at once. The first of many run while the rest is on its way.
PARKED_S = 3600  # A parked workflow looks again after this time, in case a message was lost.

_under_way: set[str] = set()
_outage = Outage("go on with workflows")


@task(name=WORKFLOW, aliases=[NAMED_WORKFLOW], bind=True, max_retries=None)
async def workflow(self: CurrentJob) -> Any:
    """Evaluate the tree stored under this job's id. Waits without a slot."""
    return await without_slot(Orchestration(default.current(), self).run())


class Orchestration:
    """One evaluation of one workflow."""

    def __init__(self, redis: Store, job: CurrentJob) -> None:
        assert job.request.id is not None
        self._redis = redis
        self._id = job.request.id
        self._job = job
        self._caller = Caller.of(self._id, {}, job.headers)
        self._counts = {"done": 0, "failed": 0, "total": 0}
        self._reported: dict[str, int] | None = None
        self._reporting: asyncio.Task[None] | None = None
        self._report_in_turn = asyncio.Lock()
        self._ended: dict[str, bytes] = {}  # path -> entry of the journal, until the evaluation asks for it.
        self._seen: set[str] = set()
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._outbox: deque[tuple[Signature, str]] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._failures: list[str] = []  # The paths of members that the evaluation has seen fail.
        self._refused = self._heard = False
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> Any:
        """The workflow's result; or MemberFailed, Parked or Revoked; or what went wrong with the workflow itself."""
        _under_way.add(self._id)
        self._redis.notifications.follow(self._id, self._hear, lambda: self._start(self._compare))  # some may be lost
        try:
            node = await self._begin()
            evaluation = asyncio.ensure_future(evaluate(node, call=self._call, request=self._job.request))
            try:
                return await self._until_ended(evaluation)
            finally:
                evaluation.cancel()
                await asyncio.gather(evaluation, return_exceptions=True)
        finally:
            self._redis.notifications.unfollow(self._id)
            _under_way.discard(self._id)
            for running in self._tasks:
                running.cancel()

    async def _begin(self) -> Node:
        """Subscribe first, then read: nothing is lost in between."""
        tree, journal = await _outage.keep_trying(self._listen_and_read, only_away=True)
        if tree is None:
            raise RemoteError("WorkflowLost", f"the tree of workflow {self._id} is gone from Redis")
        self._take({text(path): entry for path, entry in journal.items()})
        stored = read(tree)
        self._caller = Caller.of(self._id, stored, self._job.headers)
        self._counts["total"] = len(members.places_of(stored))
        if self._seen:  # it is taken up again
            self._report_soon()
        return from_dict(stored)

    async def _listen_and_read(self) -> tuple[bytes | None, dict[bytes, bytes]]:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(self._redis.key.RECORD + self._id, "listener", self._redis.notifications.listener)
            pipe.get(self._redis.key.TREE + self._id)
            pipe.hgetall(self._redis.key.JOURNAL + self._id)
            _, tree, journal = await pipe.execute()
            return tree, journal

    async def _is_revoked(self) -> bool:
        """Calls and members may learn of it before the evaluation does."""
        ask: Any = partial(self._redis.hexists, self._redis.key.RECORD + self._id, "revoked")
        return self._refused or bool(await _outage.keep_trying(ask, only_away=True))

    async def _until_ended(self, evaluation: asyncio.Future[Any]) -> Any:
        idle_s = 0.0
        evaluation.add_done_callback(lambda _: self._over.set())
        while not (evaluation.done() or self._refused):
            self._heard = False
            patience_s, enough_s = (COMPARE_S, PARK_AFTER_S) if len(_under_way) <= MANY_WORKFLOWS else (1, 1)
            if await wait_at_most(patience_s, self._over.wait()):
                break
            if self._heard:
                idle_s = 0
                continue
            idle_s += patience_s
            await self._guarded(self._compare)
            if idle_s >= enough_s and not self._tasks:  # else a call may not be enqueued yet
                raise Parked(len(self._seen))
        await self._guarded(self._report)
        error = evaluation.exception() if evaluation.done() else None
        if (error or not evaluation.done()) and await self._is_revoked():
            raise Revoked
        if error is not None and any(self._waiting[place].exception() is error for place in self._failures):
            raise MemberFailed(error)
        return evaluation.result()

    def _report_soon(self) -> None:
        """Publish how many members have ended, for `Result.progress()`, at most REPORTS_A_SECOND times a second."""
        if self._reporting is None or self._reporting.done():
            self._reporting = self._start(self._report_changes)

    async def _report_changes(self) -> None:
        while self._reported != self._counts:
            await self._report()
            await asyncio.sleep(1 / REPORTS_A_SECOND)

    async def _report(self) -> None:
        async with self._report_in_turn:  # the last one must not be overtaken
            self._reported = dict(self._counts)
            await self._job.update_state(meta=self._reported)

    def _call(self, signature: Signature, path: Path) -> Awaitable[Any]:
        """A bare future for each member: an asyncio.Task for each of 100,000 is too expensive."""
        place = members.place(path)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[place] = future
        if place in self._ended:
            self._settle(place, self._ended.pop(place))
            return future
        self._outbox.append((signature, place))
        if self._sending is None or self._sending.done():
            self._sending = self._start(self._send_all)
        return future

    async def _send_all(self) -> None:
        while self._outbox:
            await self._send([self._outbox.popleft() for _ in range(min(len(self._outbox), SENT_TOGETHER))])

    async def _send(self, asked: Sequence[tuple[Signature, str]]) -> None:
        """Enqueue the calls of these members, in bulk."""
        calls = list[Call]()
        for signature, place in asked:
            try:
                calls.append(member_call(self._redis, signature, self._caller, place))
            except Exception as error:  # arguments that cannot travel: the same in every replay
                refuse(self._waiting[place], error)
        try:
            answers = await _outage.keep_trying(partial(self._redis.enqueue, calls), only_away=True)
        except Exception as error:  # Redis takes no such call, now or later
            for call in calls:
                refuse(self._waiting[call.path], error)
            return
        taken = [call.path for call, answer in zip(calls, answers, strict=True) if answer == TAKEN]
        if taken:  # they may have ended before we followed them
            self._start(partial(self._read, taken))
        for call, answer in zip(calls, answers, strict=True):
            if answer not in (NEW, TAKEN):
                self._not_called(call, answer)

    def _not_called(self, call: Call, answer: Answer) -> None:
        if answer == CLASH:
            clash = QuarqError(f"its member {call.id} cannot be called: another job has this id")
            refuse(self._waiting[call.path], clash)
        elif isinstance(answer, bytes):
            self._start(partial(self._not_unique, call, text(answer)))
        elif answer == REFUSED:  # it was revoked, or another worker has ended it
            self._refused = True
            self._over.set()

    async def _not_unique(self, call: Call, holder: str) -> None:
        await members.refuse_member(self._redis, call, holder)
        await self._read([call.path])

    def _hear(self, ended: Mapping[str, bytes | None], run: str) -> None:
        """Members have ended. The journal may have forgotten what came to those of an earlier *run* than this."""
        if run == str(self._job.request.attempts):
            self._take(ended)
        else:
            self._start(partial(self._read, list(ended)))

    async def _compare(self) -> None:
        length: int = await self._redis.execute_command("HLEN", self._redis.key.JOURNAL + self._id)
        if length != len(self._seen):
            await self._read([place for place, future in self._waiting.items() if not future.done()])

    async def _read(self, places: list[str]) -> None:
        for some in chunked(places, 1000):
            entries: list[bytes | None] = await self._redis.hmget(self._redis.key.JOURNAL + self._id, list(some))  # type: ignore[misc]
            self._take(dict(zip(some, entries, strict=True)))

    def _take(self, entries: Mapping[str, bytes | None]) -> None:
        """Go on with what members came to: their entries in the journal, each taken once."""
        for place, entry in entries.items():
            if entry is None or place in self._seen:
                continue
            self._seen.add(place)
            if not members.is_callback(place):
                self._counts["done"] += 1
                self._counts["failed"] += not entry.startswith(b"S")
            if place in self._waiting:
                self._settle(place, entry)
            else:
                self._ended[place] = entry
        self._heard = True
        if self._counts["total"]:  # it has begun
            self._report_soon()

    def _settle(self, place: str, entry: bytes) -> None:
        future = self._waiting[place]
        if future.done():
            return
        try:
            success, value = read_entry(entry)
        except Exception as error:
            success, value = False, error
        if success:
            future.set_result(value)
        else:
            future.set_exception(value)
            if entry.startswith(b"F"):
                self._failures.append(place)

    def _start(self, step: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        running = asyncio.create_task(self._guarded(step))
        self._tasks.add(running)
        running.add_done_callback(self._tasks.discard)
        return running

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        """A step that fails is tried again when the journal is compared next."""
        try:
            await step()
        except QueueUnavailable as error:
            _outage.failed(error)
        except Exception:
            logger.exception("workflow %s: a step with Redis failed; looking again in a moment", self._id)
        else:
            _outage.worked()
