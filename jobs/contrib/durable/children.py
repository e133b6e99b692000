"""The call of a job that a running job waits for: a task or a workflow, as a member of its caller."""

from typing import Any

from ...client.plain_data import kept_of, rebuilt, with_plain_data
from ...client.submit import call_of
from ...errors import WrongValue
from ...store.call import Call
from ...store.store import Store
from ...tasks.call_options import inherited
from ...tasks.current import CurrentJob
from ...tasks.declarations import declared
from ...tasks.parameters import ANNOTATED
from ...tasks.unique import UNIQUE
from ...values import checks
from ...workflows.canvas import Node, Signature
from ...workflows.members import GIVEN
from ...workflows.task_table import NOTHING, strangers
from ..unique_calls import refuse_losses
from .entries import digest_of


class Child:
    """What is called, the name that it has without another one, and the digest of its arguments."""

    def __init__(self, node: Any) -> None:
        if not isinstance(node, Node):
            raise TypeError(f"self.run(): {checks.shown(node)} is no call: write `self.run(task.s(...))`")
        if node.options.get("task_id"):
            raise WrongValue("self.run(): the id of a child is that of its caller and its name: leave task_id= out")
        self._node = with_plain_data(node) if ANNOTATED else node
        self._kept = kept_of(node) if ANNOTATED else None
        self.name = node.task if isinstance(node, Signature) else type(node).__name__
        self.digest = digest_of(self.name, (self._node.to_dict(),), {})

    async def call(self, redis: Store, job: CurrentJob, field: str) -> Call:
        """Its call, as a member of the job: its end is an entry of the job's journal."""
        names = sorted(strangers([(self._node, {})]))
        known = await declared(redis, names) if names else NOTHING
        given = self._node.options.get("headers") if isinstance(self._node, Signature) else None
        options = {"task_id": f"{job.request.id}{GIVEN}{field}", "headers": inherited(job.headers, given)}
        if UNIQUE:
            refuse_losses(self._node, {}, "member")
        call = call_of(redis, self._node, options, known)
        call.parent, call.path = str(job.request.id), field
        return call

    def rebuilt(self, value: Any) -> Any:
        return value if self._kept is None else rebuilt(self._kept, value)
