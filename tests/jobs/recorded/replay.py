"""Evaluate a stored tree from its journal alone: which calls it makes, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from jobs import encoding
from jobs.workflows.canvas import LINK_ERROR, Path, Signature, evaluate
from jobs.workflows.members import place, read_entry
from jobs.workflows.stored_tree import from_dict


async def replay(tree: bytes, journal: Mapping[str, bytes]) -> tuple[dict[str, str], asyncio.Future[Any]]:
    """The calls by their places, and the evaluation as far as the journal brings it."""
    calls: dict[str, str] = {}

    def call(signature: Signature, path: Path) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        assert place(path) not in calls, "called twice"
        # the arguments of an error callback hold a traceback
        calls[place(path)] = signature.task if LINK_ERROR in path else repr(signature)
        if place(path) in journal:
            success, value = read_entry(journal[place(path)])
            if success:
                future.set_result(value)
            else:
                future.set_exception(value)
        return future

    evaluation = asyncio.ensure_future(evaluate(from_dict(encoding.loads(tree)), call=call))
    await asyncio.wait([evaluation], timeout=0.1)
    return calls, evaluation


async def calls_of(tree: bytes, journal: Mapping[str, bytes]) -> dict[str, str]:
    calls, evaluation = await replay(tree, journal)
    await asyncio.gather(evaluation, return_exceptions=True)
    return dict(sorted(calls.items()))


async def outcome_of(tree: bytes, journal: Mapping[str, bytes]) -> str:
    _, evaluation = await replay(tree, journal)
    [value] = await asyncio.gather(evaluation, return_exceptions=True)
    return repr(value)
