"""The tasks that every worker has: two call another for each item of a list, one carries out what operators plan."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from ..client.decorator import task
from ..client.plain_data import annotations_of
from ..store import default
from ..tasks.current import CurrentJob
from ..workflows.canvas import Signature
from ..workflows.stored_tree import from_dict


@task(name="jobs.map")
async def map_items(tree: Mapping[str, Any], items: Iterable[Any]) -> list[Any]:
    """What `multiply.map(items)` sends: the first that fails fails the job."""
    return [await _call(tree, item) for item in items]


@task(name="jobs.starmap")
async def starmap_items(tree: Mapping[str, Any], items: Iterable[Sequence[Any]]) -> list[Any]:
    """What `multiply.starmap(items)` sends: each item is all the positional arguments."""
    return [await _call(tree, *item) for item in items]


@task(name="jobs.bulk", bind=True, time_limit=None)  # given: a worker's `job_timeout=` is not for it
async def bulk_run(self: CurrentJob, plan_id: str) -> dict[str, int]:
    """What `monitor.start` sends. A rerun goes on where it was stopped."""
    run, progress = import_module("..contrib.bulk_run", __package__), dict[str, int]()
    async with asyncio.timeout(7 * 86_400):
        async for progress in run.carry_out(default.current(), plan_id):
            await self.update_state(meta=progress)
    return progress


async def _call(tree: Mapping[str, Any], *args: Any) -> Any:
    """Its arguments and its result are plain data here, as those of every job are."""
    node = from_dict(tree).clone(args)
    own = annotations_of(node.task) if isinstance(node, Signature) else None
    if own is None:
        return await node()
    args, kwargs = own.arguments("read", node.args, node.kwargs)
    return own.result("write", await node._with(args=args, kwargs=kwargs)())
