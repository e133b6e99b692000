"""`python -m tests.jobs.recorded NAME ...`: run these workflows, and write down what Redis holds of them.

A file that is there is never written again: it is what that release has stored. Add a workflow, and record that.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

from arq.worker import create_worker

from jobs import Result, chain, chord, connect, group, signature, worker_settings
from jobs.store.keys import Keys
from jobs.workflows.canvas import Node
from jobs.workflows.node import FORMAT
from tests.jobs.recorded.replay import calls_of, outcome_of
from tests.jobs.worker import tasks
from tests.jobs.worker.tasks import fail, log, multiply
from tests.redis_server import RedisServer

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]

WORKFLOWS: dict[str, Node] = {
    "group": group(multiply.s(i, i + 5) for i in range(10)),
    "chain": chain(multiply.s(10, 10), multiply.s(4), multiply.s(20)),
    "chord": chord([multiply.s(i, 2) for i in range(3)], log.s()),
    "nested": chord([chain(log.s(2), group(multiply.s(3), multiply.s(4)), log.s()), log.s("x") | log.si("y")], log.s()),
    "failed": chord([multiply.s(1, 1), fail.s("broken"), multiply.s(2, 2)], log.s()),
    "errors-in-the-list": group(fail.s("one"), log.s("two"), return_exceptions=True),
    "callbacks": chain(
        group(log.s(1), log.s(2)).set(link=log.s()),
        group(fail.si("inner"), log.si(3), return_exceptions=True).on_error(log.si("told")),
    ),
    "a-few-at-a-time": group((multiply.s(i, i) for i in range(6)), max_concurrency=2),
    "options": chain(multiply.s(2, y=3).set(countdown=0.05), signature("tests.log").set(queue="default")),
    "empty": chain(group(), log.s()),
}


async def record(name: str, redis_url: str) -> None:
    path = FOLDER / f"{name}.json"
    if path.exists():
        sys.exit(f"{path} is there: it is what a release has stored, and is never written again")
    async with connect(redis_url) as redis:
        result: Result = await WORKFLOWS[name].delay()
        await result.get(timeout=10, propagate=False)
        tree = await redis.get(Keys.TREE + result.id)
        await asyncio.sleep(0.2)  # callbacks
        journal = await redis.hgetall(Keys.JOURNAL + result.id)  # type: ignore[misc]
    entries = {place.decode(): _without_paths(entry) for place, entry in sorted(journal.items())}
    what = {
        "format": FORMAT,
        "shown": repr(WORKFLOWS[name]),
        "tree": b64encode(tree).decode(),
        "journal": {place: b64encode(entry).decode() for place, entry in entries.items()},
        "calls": await calls_of(tree, entries),
        "outcome": await outcome_of(tree, entries),
    }
    path.write_text(json.dumps(what, indent=1) + "\n")


def _without_paths(entry: bytes) -> bytes:
    """Where this checkout stands is in every traceback; the length stays as it was."""
    root = str(ROOT).encode()
    return entry.replace(root, b"/".ljust(len(root), b"x"))


async def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(Path(folder)).start()
        worker = create_worker(
            worker_settings(redis_url=server.url, tasks=tasks.ALL, handle_signals=False)  # type: ignore[arg-type]
        )
        running = asyncio.create_task(worker.main())
        worker.main_task = running
        for name in names or [name for name in WORKFLOWS if not (FOLDER / f"{name}.json").exists()]:
            await record(name, server.url)
        await worker.close()
        await asyncio.gather(running, return_exceptions=True)
        server.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
