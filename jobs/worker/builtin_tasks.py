"""The two tasks that every worker has: one job that calls another task for each item of a list, here, in turn."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..client.decorator import task
from ..workflows.stored_tree import from_dict


@task(name="jobs.map")
async def map_items(tree: Mapping[str, Any], items: Iterable[Any]) -> list[Any]:
    """What `multiply.map(items)` sends: the first that fails fails the job."""
    return [await from_dict(tree)(item) for item in items]


@task(name="jobs.starmap")
async def starmap_items(tree: Mapping[str, Any], items: Iterable[Sequence[Any]]) -> list[Any]:
    """What `multiply.starmap(items)` sends: each item is all the positional arguments."""
    return [await from_dict(tree)(*item) for item in items]
