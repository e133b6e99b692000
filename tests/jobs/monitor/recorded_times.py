"""Random workflows, how long they take in a model, and the records that workers would have left of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from jobs import chain, chord, group, signature
from jobs.client.connection import JobsRedis
from jobs.workflows.canvas import Node
from jobs.workflows.stored_tree import Tree, kind_of


def random_tree(rng: Random, depth: int = 3) -> Node:
    """Groups, some of which run a few at a time, chains and chords, inside each other."""
    if not depth or rng.random() < 0.3:
        return signature("tests.log", (1,), immutable=True)
    nodes = [random_tree(rng, depth - 1) for _ in range(rng.randint(1, 5))]
    build: Any = rng.choice([group, chain, chord, group])
    if build is chord:
        return chord(nodes[1:], nodes[0])
    few = {"max_concurrency": rng.randint(1, 3)} if build is group and rng.random() < 0.5 else {}
    return build(*nodes, **few)  # type: ignore[no-any-return]


@dataclass
class Times:
    """When each task was called, started and ended, in ms from the call of the workflow."""

    seed: int
    longer: Mapping[str, int] = field(default_factory=dict)  # path -> how many ms longer it runs
    fails: float = 0
    of: dict[str, tuple[int, int, int, str]] = field(default_factory=dict)

    def play(self, tree: Tree, path: str = "", at: int = 0) -> tuple[int, bool]:
        """When a node that begins then has ended, and whether it has succeeded."""
        kind, above = kind_of(tree), f"{path}." if path else ""
        if kind == "task":
            rng = Random(f"{self.seed} {path}")
            called = at + rng.randint(0, 9_000)
            started = called + rng.randint(0, 900_000)
            ended = started + rng.randint(0, 900_000) + self.longer.get(path, 0)
            state = "FAILURE" if rng.random() < self.fails else "SUCCESS"
            self.of[path] = called, started, ended, state
            return ended, state == "SUCCESS"
        ends, well = [at], True
        if kind == "group":
            members = tree["group"]
            lanes = [at] * (tree.get("options", {}).get("max_concurrency") or len(members))
            for n, member in enumerate(members):
                lane = lanes.index(min(lanes))
                lanes[lane], fine = self.play(member, f"{above}{n}", lanes[lane])
                well = well and fine
            return max([*lanes, at]), well
        for n, step in enumerate(tree[kind]):
            end, well = self.play(step, f"{above}{n}", ends[-1])
            ends.append(end)
            if not well:
                break
        return ends[-1], well


async def record(connection: JobsRedis, workflow: str, times: Times, begin: int, end: int, well: bool | None) -> None:
    """Write what workers would have written up to *end*. *well*: None while it goes on."""
    key = connection.key
    async with connection.pipeline(transaction=False) as pipe:
        state = ("SUCCESS" if well else "FAILURE") if well is not None else "STARTED"
        own: dict[str, Any] = {"enqueued": begin, "due": begin, "state": state}
        pipe.hset(key.RECORD + workflow, mapping=own | ({"finished": begin + end} if well is not None else {}))
        for path, (called, started, ended, outcome) in times.of.items():
            if called > end:
                continue
            fields: dict[str, Any] = {"enqueued": begin + called, "due": begin + called, "queue": "etl", "attempts": 1}
            if started <= end:
                fields |= {"received": begin + started, "worker": "w", "state": "STARTED"}
            if ended <= end:
                log = connection.dumps([1, "w", begin + started, begin + ended, "FAILURE", "why"])
                fields |= {"finished": begin + ended, "state": outcome} | ({"log": log} if outcome == "FAILURE" else {})
            pipe.hset(f"{key.RECORD}{workflow}:{path or '-'}", mapping=fields)
        await pipe.execute()
