"""r14, r15, r16: jobs that cannot be read, that crash their worker, that are too large."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgpack

from jobs import Result
from jobs.errors import TooLarge
from tests.chaos import invariants, tasks
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage


@scenario("r14", "payloads that nobody can run")
async def poison_messages(stage: Stage) -> None:
    """Put there by hand, as a broken or hostile producer would. Each ends as FAILURE after one attempt."""
    good = {"t": None, "f": "chaos.work", "a": ["x", 0], "k": {}, "et": 1}
    deep: object = 0
    for _ in range(2000):
        deep = [deep]
    payloads = {
        "random bytes": bytes(stage.rng.randrange(256) for _ in range(200)),
        "truncated": msgpack.packb(good)[:-5],
        "empty": b"",
        "not a map": msgpack.packb([1, 2, 3]),
        "no function": msgpack.packb({"a": [], "k": {}}),
        "too many arguments": msgpack.packb(good | {"a": [1] * 9}),
        "arguments are no list": msgpack.packb(good | {"a": 7}),
        "function is a number": msgpack.packb(good | {"f": 12}),
        "very deep": b"\x91" * 2000 + b"\x00",
        "a pickle": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    }
    [worker] = await stage.workers(1)
    for name, payload in payloads.items():
        await stage.redis.set(f"arq:job:{name}", payload)
        await stage.redis.zadd("arq:queue", {name: int(time.time() * 1000)})
    await stage.send("good", 0)
    await stage.send("socket", "socket", task=tasks.give)  # type: ignore[arg-type]
    await stage.until(lambda: stage.oracle.read().effects("good") > 0, "the good job to run", 20)
    await invariants.quiet(stage)

    for name in payloads:
        state = await Result(name).state()
        attempts = await stage.redis.hget(f"jobs:job:{name}", "attempts")
        if name == "a pickle":  # it waits for a worker with accept_pickle=True
            stage.check("a pickle: PENDING, not run", f"{state}, {attempts}", (state, attempts) == ("PENDING", "0"))
            await Result(name).revoke()
            continue
        stage.check(f"{name}: FAILURE, 1 attempt", f"{state}, {attempts}", (state, attempts) == ("FAILURE", "1"))
    await invariants.quiet(stage)
    state = await stage.acked.pop("socket").state()
    stage.check("a result that cannot be kept: FAILURE", state, state == "FAILURE")
    stage.check("the worker lives", worker.alive, worker.alive)
    await invariants.hold(stage)


def crasher(how: str, *, crashes: bool) -> None:
    """One job that takes its worker with it, among nine that do no harm."""

    @scenario(f"r15-{how}", f"a job that ends its worker: {how}", short=how == "segv")
    async def play(stage: Stage) -> None:
        lease = stage.size(15, 4)
        fleet = {"CHAOS_LEASE": str(lease)}
        await stage.workers(2, **fleet)
        await stage.send_many({f"innocent {n}": lease / 5 for n in range(9)})
        crash = await tasks.crash.delay("crash", how)

        deadline = time.monotonic() + 12 * lease
        while not await crash.ready() and time.monotonic() < deadline:
            stage.fleet.start(2 - len(stage.fleet.living), **fleet)
            await asyncio.sleep(0.2)
        state, starts = await crash.state(), stage.oracle.read().started("crash")
        await stage.until_all_acted(4 * lease + 30)
        finished = [max(run.end or 0 for run in stage.oracle.runs[key]) for key in stage.acked]
        first_crash = stage.oracle.runs["crash"][0].start

        stage.check("ends as FAILURE", state, state == "FAILURE")
        # once among others, once as the only suspect, once alone
        most = 3 if crashes else 1
        stage.check(f"ran <= {most} times", starts, starts <= most)
        slowest = max(finished) - first_crash
        limit = 2 * max(lease, 7) + 6  # a lease shorter than the grace before a takeover gains nothing
        stage.check(f"innocents done <= {limit} s after the crash", f"{slowest:.0f} s", slowest <= limit)
        await invariants.hold(stage)


crasher("segv", crashes=True)
crasher("os._exit", crashes=True)
crasher("sys.exit", crashes=False)
crasher("memory", crashes=False)
crasher("recursion", crashes=False)


@scenario("r16", "payloads that are too large")
async def large_payloads(stage: Stage) -> None:
    [worker] = await stage.workers(1)
    await (await tasks.take.delay(b"x" * 1_000)).get(timeout=10)
    before, memory = await stage.redis.dbsize(), resident_mib(worker.pid)
    for size in (300_000, 1_000_000, 16_000_000, stage.size(600_000_000, 64_000_000)):
        try:
            await tasks.take.delay(b"x" * size)
            refused = "accepted"
        except TooLarge as error:
            refused = type(error).__name__
        stage.check(f"{size:,} bytes are refused at the call", refused, refused == "TooLarge")
    stage.check("nothing was stored", await stage.redis.dbsize() - before, await stage.redis.dbsize() == before)

    times = []
    for _ in range(50):
        began = time.monotonic()
        await (await tasks.take.delay(b"x" * 200_000)).get(timeout=10)
        times.append(time.monotonic() - began)
    usual = sorted(times)[len(times) // 2] * 1000
    stage.check("200 KB there and back <= 50 ms (median)", f"{usual:.0f} ms", usual <= 50)
    large = await tasks.give.delay("large", "large")
    error = await large.get(timeout=20, propagate=False)
    stage.check("a result of 50 MB fails its job", type(error).__name__, await large.failed())
    grown = resident_mib(worker.pid) - memory
    stage.check("worker's memory <= 120 MiB more", f"{grown:.0f} MiB", worker.alive and grown <= 120)


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("inf")
