"""All that the page of one workflow shows, in a few reads however large it is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..client.connection import JobsRedis
from ..tasks.declarations import known_tasks, secrets_by
from ..tasks.masking import Lookup, masked
from .drawn_steps import Drawing, DrawnStep, MembersPage
from .model.job_row import JobRow
from .model.masked_call import MaskedCall
from .model.search import rows_of
from .stored_timeline import timeline
from .time_scale import Scale
from .workflow_steps import Step
from .workflow_times import Timeline


@dataclass(frozen=True)
class DrawnWorkflow:
    timeline: Timeline
    row: JobRow | None  # Its own job; None if its record is forgotten.
    step: Step  # What is shown: the root, or a step inside.
    rows: list[DrawnStep]
    members: MembersPage | None  # Where the members of one step are shown page by page.
    jobs: Mapping[str, JobRow]
    """By id, those of the tasks in `rows` that were called and are not forgotten."""
    args: Mapping[str, str]
    """By id, the arguments of the others, masked; what the step before hands on is not among them."""
    scale: Scale | None  # None where all times are forgotten.

    @property
    def states(self) -> Counter[str]:
        """How many tasks of the workflow are in each state."""
        return Counter(task.state for task in self.timeline.root.tasks())

    def named(self, path: str | None) -> str:
        """The task at a place of the path that decided the end."""
        return next((step.task for step in self.timeline.path if step.path == path), "")


async def drawn_workflow(
    connection: JobsRedis, workflow_id: str, path: str | None = None, state: str | None = None, start: int = 0
) -> DrawnWorkflow | None:
    """The whole; or with *path* a step, '' being the root, and a page of its members: those in *state*, or all. None:
    there is no such workflow, or no such step."""
    found = await timeline(connection, workflow_id)
    step = _step_at(found.root, path or "") if found else None
    if found is None or step is None:
        return None
    drawing, page = Drawing(found), None
    if path is None:
        rows = drawing.whole(step)
    else:
        page = drawing.page(step, state, start)
        rows = page.rows
    tasks = [row.step for row in rows if row.step.kind == "task"]
    known = await rows_of(connection, [workflow_id, *(task.id for task in tasks if task.called)])
    jobs, secrets = {row.id: row for row in known}, secrets_by(await known_tasks(connection))
    args = {task.id: _arguments(task, secrets) for task in tasks if task.id not in jobs}
    begin, end = (found.called, found.at) if path is None else (step.called or found.called, step.ended or found.at)
    scale = Scale(begin, end, found.called) if begin and end and found.called else None
    return DrawnWorkflow(found, jobs.get(workflow_id), step, rows, page, jobs, args, scale)


def _arguments(step: Step, secrets: Lookup) -> str:
    args, kwargs = masked(step.task, step.tree.get("args", ()), step.tree.get("kwargs", {}), secrets)
    return MaskedCall(step.task, args, kwargs, whole=True).line


def _step_at(root: Step, path: str) -> Step | None:
    for word in path.split(".") if path else ():
        if not word.isdecimal() or int(word) >= len(root.members):
            return None
        root = root.members[int(word)]
    return root
