"""What of a call would be lost if another job has its key: refused where the call is made. See decision 0036."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from ..errors import WrongValue
from ..store.call import Call
from ..tasks import registry
from ..tasks.call_options import CALLBACKS
from ..tasks.unique import UNIQUE
from ..workflows.canvas import Node, Signature, Workflow
from ..workflows.task_table import callbacks_of

Role: TypeAlias = Literal["call", "member", "callback"]


def refuse_losses(node: Node, options: Mapping[str, Any], role: Role = "call") -> None:
    """WrongValue if something of it, or of what is in it, would be lost."""
    if why := _loss(node, options, role):
        raise WrongValue(f"{why[0]}: {why[1]}")
    for member in node.tasks if isinstance(node, Workflow) else ():
        refuse_losses(member, {}, "member")
    for callback in callbacks_of({**node.options, **options}):
        refuse_losses(callback, {}, "callback")


def without_losses(call: Call, node: Node, role: Role) -> Call:
    """The same on a worker, where nobody could be refused: such a call has no key."""
    if _loss(node, {}, role):
        call.unique = ()
    return call


def _loss(node: Node, options: Mapping[str, Any], role: Role) -> tuple[str, str] | None:
    """The task and a sentence."""
    if not isinstance(node, Signature) or node.task not in UNIQUE or (task := registry.find(node.task)) is None:
        return None
    if (unique := task.options.unique) is None:
        return None
    given = {name for name, value in {**node.options, **options}.items() if value is not None and value != ()}
    links = " and ".join(f"{name}=" for name in sorted(CALLBACKS & given))
    why = ""
    if unique.debounce is not None and given & {"eta", "countdown"}:
        why = "debounce= says when it starts: leave countdown= and eta= out"
    elif role == "member" and unique.replaces:
        why = (
            "no member of a workflow can have debounce= or on_conflict='replace', as calls from elsewhere would change "
            "its arguments: let a task of the workflow call it"
        )
    elif role == "member" and "link_error" in given:
        why = "if another job has its key, this member fails without link_error= being called: give it to the workflow"
    elif role == "callback" and unique.on_conflict == "error":
        why = "if another job has its key, nobody gets the NotUnique of a callback: take another on_conflict="
    elif role != "member" and links and unique.on_conflict != "error":
        instead = "" if unique.replaces else ", or take on_conflict='error'"
        why = f"{links} would be lost where another job has its key: let the task itself call what follows{instead}"
    return (node.task, why) if why else None
