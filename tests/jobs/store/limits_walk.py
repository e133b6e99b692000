"""A walk through what happens to jobs with limits by key: the scripts alone, in virtual time, beside a model."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass, field

from jobs.client.connection import JobsRedis
from jobs.store import keys
from jobs.store.call import Call
from jobs.store.scripts import Name
from jobs.store.store import now_ms
from jobs.tasks.limits import Limit, key_of, keys_asked
from jobs.tasks.rate_limit import WINDOWS_MS
from jobs.worker.execution.outcome_encoding import pack_row

TASK = "walk.job"
QUEUES = ("default", "other")
LEASE_MS = 60_000
AGAIN_MS = 1_000  # Then a job comes up again that was one suspect too many for a claim.
OF_RUNNING, OF_WAITING = ("end", "retry", "release", "kill", "stall"), ("revoke", "move", "reschedule")
OF_BUCKETS = ("pause_bucket", "change", "change")
STEPS = (*["call_some"] * 6, *["end"] * 4, *OF_RUNNING, *OF_WAITING, *OF_BUCKETS, "pause_queue", "time_passes")


@dataclass
class Job:
    id: str
    values: dict[str, int]
    queue: str
    buckets: tuple[str, ...] = ()
    due: float = 0
    worker: str = ""  # Who runs it.
    token: str = ""
    lost: bool = False  # Its worker died with it.


@dataclass
class Walk:
    redis: JobsRedis
    random: random.Random
    concurrency: tuple[int | Limit, ...]
    rates: tuple[str | Limit, ...] = ()
    jobs: dict[str, Job] = field(default_factory=dict)
    starts: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    given: dict[str, int] = field(default_factory=dict)
    held_up: set[str] = field(default_factory=set)  # Paused buckets and queues.
    now: float = 0
    numbers: int = 0

    async def begin(self) -> None:
        await self.redis.declare_limits(TASK, self.rates or None, self.concurrency or None)
        await self.pass_time(0)

    async def pass_time(self, ms: float) -> None:
        """Workers of both queues were there all the while."""
        self.now += ms
        await self.redis.set(self.redis.key.CLOCK, int(self.now))
        ends = await now_ms(self.redis) + LEASE_MS
        for job in self.jobs.values():
            if job.worker:  # without the script that renews: it looks for places that are free, too
                await self.redis.zadd(self.redis.key.LEASES + job.queue, {job.id: ends})
                await self.redis.zadd(self.redis.key.queue_key(job.queue), {job.id: ends})
        moment = 1e15
        await self.redis.zadd(self.redis.key.SERVED, dict.fromkeys(QUEUES, moment))
        await self.redis.hset(self.redis.key.ALIVE, mapping={"seen": 9e14, "back": 0})  # type: ignore[misc]

    async def step(self) -> None:
        """Something happens; then some workers claim."""
        what = self.random.choice(STEPS)
        for subject in self.subjects(what):
            await getattr(self, what)(*subject)
        if self.random.random() < 0.35:
            await self.claim("w1", wanted=self.random.randint(1, 5))
        elif self.random.random() < 0.6:
            await self.settle()

    def subjects(self, what: str) -> list[tuple[Job | str, ...]]:
        """To whom it happens."""
        if what in OF_BUCKETS:
            return [
                (self.random.choice(job.buckets),) for job in self.random.sample([*self.jobs.values()], bool(self.jobs))
            ]
        if what in OF_RUNNING:
            fitting = [job for job in self.jobs.values() if job.worker]
        elif what in OF_WAITING:
            fitting = [job for job in self.jobs.values() if not job.worker and not job.lost]
        else:
            return [()]
        return [(job,) for job in self.random.sample(fitting, min(len(fitting), 2 if what == "end" else 1))]

    async def call_some(self) -> None:
        for _ in range(self.random.randint(1, 5)):
            values = {name: self.random.randint(1, 3) for name in "ab"}
            await self.call(values, self.random.choice(QUEUES), knows=self.random.random() < 0.8)

    async def pause_queue(self) -> None:
        await self.turn("other", "pause", "other", int("other" not in self.held_up))

    async def time_passes(self) -> None:
        await self.pass_time(self.random.choice([1, 1_000, 6_000]))

    async def end(self, job: Job) -> None:
        await self.record(job, "SUCCESS")

    async def retry(self, job: Job) -> None:
        await self.record(job, "RETRY")

    async def release(self, job: Job) -> None:
        await self.record(job, "PENDING")

    async def kill(self, job: Job) -> None:
        """Its worker dies, with all that it runs, and the leases lapse."""
        worker = job.worker
        for other in self.jobs.values():
            if other.worker == worker:
                await self.redis.delete(self.redis.key.IN_PROGRESS + other.id)
                other.worker, other.lost = "", True
        await self.pass_time(LEASE_MS + 1_000)

    async def stall(self, job: Job) -> None:
        """Its worker stands still, longer than the leases; others may have the places. Then it goes on, beside them."""
        worker = job.worker
        ran = [(other.id, other.token) for other in self.jobs.values() if other.worker == worker]
        await self.kill(job)
        for _ in range(self.random.randint(0, 3)):
            await self.claim("w2" if worker == "w1" else "w1", suspects=self.random.choice([0, 0, 1]))
        words = [word for one in ran for word in one]
        lost, _ = await self.redis.run_script("renew", worker, LEASE_MS, "default", 0, 0, *words)
        for job_id, token in ran:
            if job_id.encode() not in lost:
                self.jobs[job_id].worker, self.jobs[job_id].token, self.jobs[job_id].lost = worker, token, False
        await self.pass_time(AGAIN_MS)

    async def revoke(self, job: Job) -> None:
        await self.redis.run_script("revoke", "0", 1_000, 100, 0, job.id, b"")
        del self.jobs[job.id]

    async def move(self, job: Job) -> None:
        job.queue = self.random.choice(QUEUES)
        await self.redis.run_script("move", job.queue, job.id)

    async def reschedule(self, job: Job) -> None:
        delay_ms = self.random.choice([0, 5_000])
        job.due = self.now + delay_ms
        assert await self.redis.run_script("reschedule", job.id, f"+{delay_ms}") == 1

    async def pause_bucket(self, bucket: str) -> None:
        await self.turn(bucket, "set_limits", TASK, bucket, "paused", "-" if bucket in self.held_up else "1")

    async def change(self, bucket: str) -> None:
        most = self.random.choice([None, 1, 2, 4])
        self.given.pop(bucket, None)
        if most is not None:
            self.given[bucket] = most
        await self.redis.run_script("set_limits", TASK, bucket, "holders" if bucket else "most", most or "-")

    async def turn(self, name: str, script: Name, *words: str | int) -> None:
        """What was paused is resumed, and the other way round."""
        self.held_up ^= {name}
        await self.redis.run_script(script, *words)

    async def drain(self) -> None:
        """All that was called ends, and nothing of it is left but what ends by itself."""
        for name in [*self.held_up]:
            await (self.turn(name, "pause", name, 0) if name in QUEUES else self.pause_bucket(name))
        await self.pass_time(10_000)
        while self.jobs:
            await self.settle()
            runs = [job for job in self.jobs.values() if job.worker]
            for job in runs:
                await self.end(job)
            if not runs:
                assert self.rates, "nothing runs, and jobs wait"
                await self.pass_time(300)
        of_limits = ("HOLDERS", "BLOCKED", "WAITING", "PLACES", "RATE")
        for name in of_limits:
            async for key in self.redis.scan_iter(f"{getattr(keys.Keys, name)}*"):
                assert await self.redis.ttl(key) > 0 or key == (keys.Keys.RATE + TASK).encode(), key
        assert not await self.redis.exists(*map(self.redis.key.queue_key, QUEUES))

    def check_rates(self) -> None:
        """No window has one start too many."""
        for one in self.rates:
            names, rate = (one.names, one.most) if isinstance(one, Limit) else ("", one)
            count, starts = int(rate.partition("/")[0]), dict[str, list[float]]()
            for at, buckets in self.starts:
                for bucket in buckets:
                    if (bucket.partition("=")[0] if bucket else "") == names:
                        starts.setdefault(bucket, []).append(at)
            for times in starts.values():
                for first, one_more in zip(times, times[count:], strict=False):
                    assert one_more - first >= WINDOWS_MS[rate[-1]] - 1, (names, rate, times)

    def limit(self, bucket: str) -> float:
        """How many of this bucket may run now."""
        if bucket in self.held_up:
            return 0
        if bucket in self.given:
            return self.given[bucket]
        names = "&".join(part.partition("=")[0] for part in bucket.split("&")) if bucket else ""
        for one in self.concurrency:
            of = one.names if isinstance(one, Limit) else ""
            if of == names:
                most = one.most if isinstance(one, Limit) else one
                return math.inf if most is None else float(most)
        return math.inf

    def running(self) -> Counter[str]:
        return Counter(bucket for job in self.jobs.values() if job.worker for bucket in job.buckets)

    async def call(self, values: dict[str, int], queue: str, *, knows: bool = True) -> Job:
        self.numbers += 1
        asked = keys_asked(self.rates or None, self.concurrency or None)
        of = [key_of(per, values) for per in asked]
        job = Job(f"j{self.numbers}", values, queue, (*of, ""), self.now)
        await self.redis.enqueue([Call(job.id, queue, b"\x80", TASK, keys="|".join(of) if knows else "")])
        self.jobs[job.id] = job
        return job

    async def claim(self, worker: str, queues: tuple[str, ...] = QUEUES, wanted: int = 50, suspects: int = 99) -> int:
        """What one worker takes; one that has no keys is put back with them."""
        self.numbers += 1
        token = f"{worker}:{self.numbers}"
        rows, *_, received = await self.redis.run_script("claim", worker, token, LEASE_MS, wanted, suspects, *queues)
        for row in rows:
            job = self.jobs[row[0].decode()]
            if len(row) > 6 and row[6] == b"keys":
                await self.record(job, "PENDING", "|" + "|".join(job.buckets[:-1]), token)
                continue
            if len(row) > 6 and row[6] == b"poison":
                await self.record(job, "FAILURE", token=token)
                continue
            assert len(row) < 7 or row[6] == b"", row
            assert not job.worker, "it runs already"
            job.worker, job.token, job.lost = worker, token, False
            self.starts.append((int(received), job.buckets))
            running = self.running()
            for bucket in job.buckets:
                assert running[bucket] <= self.limit(bucket), (bucket, running, job)
        return len(rows)

    async def record(self, job: Job, state: str, extra: object = "", token: str = "", delay_ms: int = 0) -> None:
        row = pack_row((job.id, token or job.token, state, 1000, delay_ms, "1", b"", extra, -1, 0))
        [answer] = await self.redis.run_script("finish", job.worker or "w", keys.HISTORY_LENGTH, "", row, b"")
        assert answer == 1
        if not extra:
            job.worker = ""
            if state in ("SUCCESS", "FAILURE"):
                del self.jobs[job.id]

    async def settle(self) -> None:
        """Claim until nothing is due; then no job waits whose buckets all have room."""
        for _ in range(2_000):
            await self.claim("w1")
            await self.claim("w2", ("other",))
            if not await self.is_anything_due():
                wronged = await self.wronged()
                if not await self.is_anything_due():  # a place may have come meanwhile
                    assert wronged is None, f"{wronged} waits, and all has room: {self.running()}"
                    return
        raise AssertionError("jobs are due and do not start")

    async def is_anything_due(self) -> bool:
        now = await now_ms(self.redis)
        queues = [self.redis.key.queue_key(queue) for queue in QUEUES if queue not in self.held_up]
        return any([await self.redis.zcount(queue, "-inf", now) for queue in queues])

    async def next_due_ms(self) -> int:
        """Until the next job is due; 1 at least."""
        first = [await self.redis.zrange(self.redis.key.queue_key(queue), 0, 0, withscores=True) for queue in QUEUES]
        scores = [score for found in first for _, score in found]
        return max(int(min(scores, default=0) - await now_ms(self.redis)), 1)

    async def wronged(self) -> Job | None:
        """A job that waits though all of its buckets have room."""
        running = self.running()
        for job in self.jobs.values():
            if job.worker or job.queue in self.held_up or job.due > self.now:
                continue
            lists = [
                bucket for bucket in job.buckets if await self.score(keys.Keys.BLOCKED, bucket, job.id) is not None
            ]
            assert len(lists) <= 1, f"{job} waits in {lists}"
            now = await now_ms(self.redis)
            placed = [await self.score(keys.Keys.PLACES, bucket, job.id) or 0 for bucket in job.buckets]
            full = [one for one in job.buckets if running[one] >= self.limit(one) or await self.has_turn(one)]
            if not full and max(placed) <= now:
                return job
        return None

    async def has_turn(self, bucket: str) -> bool:
        """By its rate others come first, or it is too early."""
        known = await self.redis.hmget(keys.Keys.RATE + (f"{TASK}|{bucket}" if bucket else TASK), "tat", "next")  # type: ignore[misc]
        return max(float(moment or 0) for moment in known) > await now_ms(self.redis)

    async def score(self, key: str, bucket: str, job_id: str) -> float | None:
        found: float | None = await self.redis.zscore(key + (f"{TASK}|{bucket}" if bucket else TASK), job_id)
        return found


async def walk(redis: JobsRedis, seed: int, steps: int) -> Walk:
    """A walk with limits of all kinds: odd seeds have rates too."""
    rng = random.Random(seed)
    per = [["a"], ["b"], ["a", "b"]]
    some = [Limit(rng.choice([1, 2, 3, None]), per=names) for names in per if rng.random() < 0.6]
    own = [rng.choice([2, 3, 5])] if rng.random() < 0.8 else []
    rates: list[str | Limit] = [rng.choice(["5/s", "20/s"])] if seed % 2 and rng.random() < 0.7 else []
    if seed % 2:
        rates += [Limit(rng.choice(["1/s", "2/s", "5/s"]), per=names) for names in per[:2] if rng.random() < 0.6]
    one = Walk(redis, rng, (*own, *(some or [Limit(1, per="a")])), tuple(rates))
    await one.begin()
    for _ in range(steps):
        await one.step()
    one.check_rates()
    await one.drain()
    return one
