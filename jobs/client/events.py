"""A wait for an event as a task: what a member of a workflow needs."""

from typing import Any

from ..tasks.current import CurrentJob
from .decorator import task


@task(name="jobs.wait_for_event", bind=True)
async def wait_for_event(self: CurrentJob, /, name: str, timeout: float | None = None, **default: Any) -> Any:  # noqa: ASYNC109
    """`chain(pack.s(7), wait_for_event.si("approval", timeout=3600), ship.s())`: `ship` gets the value of the event.

    `Result(id).send_event("approval", value)` finds it by the id of the workflow, once it waits. Every worker has it.
    """
    return await self.wait_for_event(name, timeout, **default)
