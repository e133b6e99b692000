"""r7-released: workers and callers of an earlier release and of this one, on one Redis."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from jobs import Result
from tests.chaos import invariants
from tests.chaos.fleet import ROOT
from tests.chaos.scenarios import scenario
from tests.chaos.stage import Stage

RELEASE = "4c75174"
"""The commit whose workers and callers are mixed with ours."""
LEASE_S = "3"
KINDS = ("work", "paced", "narrow", "retried")
CALL = """
import asyncio, sys
from jobs import chord, connect
from tests.chaos import tasks

async def main(url, prefix, n, seconds, kinds):
    async with connect(url):
        for i in range(int(n)):
            key = f"{prefix} {i}"
            link = tasks.work.si(f"after {key}", 0.01)
            task = getattr(tasks, kinds[i % len(kinds)])
            print((await task.apply_async((key, float(seconds)), link=link)).id, key, sep="\\t")
        members = [tasks.work.si(f"member {prefix} {i}", float(seconds)) for i in range(10)]
        print((await chord(members, tasks.work.si(f"body {prefix}", 0.01)).delay()).id, f"body {prefix}", sep="\\t")

url, prefix, n, seconds, *kinds = sys.argv[1:]
asyncio.run(main(url, prefix, n, seconds, kinds))
"""
"""A caller that the code of either release can run."""


@scenario("r7-released", "workers and callers of an earlier release beside ours")
async def released_workers(stage: Stage) -> None:
    folders = {"old": await asyncio.to_thread(unpacked, stage.folder / "released"), "new": ROOT}
    kills = 0
    for dying, rescuing in (("old", "new"), ("new", "old")):  # all of one release die, the other takes over
        victims = await stage.workers(2, folder=folders[dying], CHAOS_LEASE=LEASE_S)
        calls = (called(stage, folder, f"{one} for {dying}", stage.size(80, 8), 0.7) for one, folder in folders.items())
        await asyncio.gather(*calls)
        await stage.until(lambda victims=victims: has_begun(stage, victims), f"{dying} workers to begin", 30)  # type: ignore[misc]
        for worker in victims:
            worker.kill9()
        rescuers = await stage.workers(2, folder=folders[rescuing], CHAOS_LEASE=LEASE_S)
        await stage.until_all_acted(90)
        for worker in rescuers:
            worker.kill9()
        kills += 2
    kills += await killed_in_turn(stage, folders)

    states = {await result.state() for key, result in stage.acked.items() if not key.startswith("after")}
    stage.check("every job SUCCESS", sorted(states), states == {"SUCCESS"})
    narrow = [key for key in stage.acked if key.split()[-1].isdigit() and int(key.split()[-1]) % len(KINDS) == 2]
    beside = stage.oracle.most_beside([key for key in narrow if not key.startswith(("after", "member"))])
    stage.check("at most 2 of a task beside each other", beside, beside <= 2)
    await invariants.hold(stage, duplicates=kills * 10, retries_used=False, count_errors=False)


async def killed_in_turn(stage: Stage, folders: dict[str, Path]) -> int:
    """Two workers of each release; one is killed each second, and replaced by one of the other release."""
    for folder in folders.values():
        await stage.workers(2, folder=folder, CHAOS_LEASE=LEASE_S)
    for caller, folder in folders.items():
        await called(stage, folder, f"{caller} in turn", stage.size(400, 60), 0.05)
    kills, ends = 0, time.monotonic() + stage.size(40, 5)
    while time.monotonic() < ends:
        await asyncio.sleep(stage.rng.uniform(0.5, 1.5))
        victim = stage.fleet.kill_one(stage.rng, stage.fleet.living)
        other = "new" if victim.folder != ROOT else "old"
        stage.fleet.start(folder=folders[other], CHAOS_LEASE=LEASE_S)
        kills += 1
    await stage.until_all_acted(120)
    return kills


def has_begun(stage: Stage, workers: list[object]) -> bool:
    """Does each of them run a job?"""
    pids = {run.pid for runs in stage.oracle.read().runs.values() for run in runs if run.end is None}
    return all(worker.pid in pids for worker in workers)  # type: ignore[attr-defined]


async def called(stage: Stage, folder: Path, prefix: str, n: int, seconds: float) -> None:
    """Calls of each kind with a callback, and a chord, by a process of the release in *folder*."""
    words = [stage.url, prefix, str(n), str(seconds), *KINDS]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CALL, *words, cwd=folder, stdout=subprocess.PIPE, env=os.environ
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, f"the caller in {folder} failed"
    for line in output.decode().splitlines():
        job_id, key = line.split("\t")
        stage.acked[key] = Result(job_id)
        if not key.startswith("body"):
            stage.acked[f"after {key}"] = Result(f"{job_id}::-1.0")  # the earlier release makes it another id
        stage.sends += 1


def unpacked(folder: Path, release: str = RELEASE) -> Path:
    """The released code, from the history of this repository."""
    command = ["git", "archive", release, "jobs", "tests/__init__.py", "tests/chaos"]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True)
    if archive.returncode:
        raise RuntimeError(f"the history lacks {release}: clone it whole (git fetch --unshallow). {archive.stderr!r}")
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder
