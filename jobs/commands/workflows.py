"""`workflows`: which there are, and one drawn as a tree with the states of its tasks, and where its time went."""

from collections import Counter
from typing import Any

import click

from ..monitor_site import NOT_CALLED, every, timeline, times_of, tree_lines, workflows
from ..values.short_text import count
from .frame import Answer, Context, command_body, limit_option


@click.command("workflows")
@click.argument("workflow_id", required=False, metavar="[ID]")
@click.option("--state", default="", help="Only these: a state, waiting, scheduled or ended.")
@click.option("--text", default="", help="Only those with this in name, error or id.")
@click.option("--longest", is_flag=True, help="Those that took longest first, of the last 1,000.")
@limit_option("Workflows", 50)
@command_body
async def workflows_command(context: Context, workflow_id: str | None, **wanted: Any) -> Answer:
    """The latest workflows; or one, drawn as a tree, with the time of each task and where that of the whole went."""
    return await _list(context, **wanted) if workflow_id is None else await _one(context, workflow_id)


async def _list(context: Context, **wanted: Any) -> Answer:
    rows = (await workflows(context.redis, **wanted)).rows
    return Answer(rows, [row.line for row in rows], [f"{count(len(rows), 'workflow')}."])


async def _one(context: Context, workflow_id: str) -> Answer:
    found = await timeline(context.redis, workflow_id)
    if found is None:
        raise click.ClickException(
            f"no workflow {workflow_id!r}: nobody has seen this id, its result has ended, or another version stored it"
        )
    counts = Counter(task.state or NOT_CALLED for task in found.root.tasks())
    data = {"id": workflow_id, "name": found.name, "state": found.state, "called": found.called, "ended": found.ended,
            "seconds": found.seconds, "runs": found.runs, "sentence": found.sentence, "parts": found.parts,
            "states": counts, "steps": times_of(found, every(found.root))}  # fmt: skip
    summary = ", ".join(f"{n:,} {state}" for state, n in sorted(counts.items()))
    return Answer(data, tree_lines(found), [f"{summary}."])
