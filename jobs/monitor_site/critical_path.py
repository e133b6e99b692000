"""The tasks that decided when a workflow ended."""

from collections.abc import Sequence
from datetime import datetime

from .workflow_steps import Step


def deciding(step: Step, at: datetime) -> list[Step]:
    """The tasks below a step that decided when it ended, or that it still waits for: every step of a chain or chord, of
    a group the member that ended last, of callbacks too. *at*: now, or the end of the workflow."""
    if not step.called:
        return []
    if step.kind == "group":
        limited = bool(step.tree.get("options", {}).get("max_concurrency"))
        steps = _last(step.members, at, limited)
    else:
        steps = step.members
    found = [step] if step.kind == "task" else []
    for one in (*steps, *_last(step.callbacks, at, limited=False)):
        found += deciding(one, at)
    return found


def _last(members: Sequence[Step], at: datetime, limited: bool) -> list[Step]:
    """The member that ended last. Where few run at a time: before it the one whose end let it begin, and so on."""
    in_order = sorted((one for one in members if one.called), key=lambda one: one.called or at)
    found: list[Step] = []
    for one in sorted(in_order, key=lambda one: one.ended or at, reverse=True):
        if not found or (limited and (one.ended or at) <= (found[0].called or at)):
            found.insert(0, one)
    return found
