"""The short name of a workflow, made of its tree: `chord of 9: etl.extract → etl.load`."""

from ..tasks.masking import MAPS
from ..values.short_text import CUT, cut
from .stored_tree import Tree, kind_of

NAME_CHARS = 160
_TASK_CHARS, _SHOWN = 60, 3  # Of each task's name; steps of a chain before its last, different members of a group.
_LOOKED_AT = (100, 10, 3, 1)  # Members of a group, by its level: its name takes no longer with 100,000.


def name_of(tree: Tree) -> str:
    """Its kind, its size and its tasks in their order, cut."""
    kind, words = kind_of(tree), _words(tree, 0)
    if kind == "task":
        return words
    size = len(tree[kind][0]["group"] if kind == "chord" else tree[kind])
    return cut(f"{kind} of {size:,}{words and ': '}{words}", NAME_CHARS)


def _words(node: Tree, level: int) -> str:
    kind = kind_of(node)
    if kind == "task":
        name, args = str(node["task"]), node.get("args")
        if name in MAPS and args and isinstance(args[0], dict) and "task" in args[0]:
            return cut(str(args[0]["task"]), _TASK_CHARS) + f" ({name.removeprefix('jobs.')})"
        return cut(name, _TASK_CHARS)
    members = node[kind]
    if level == len(_LOOKED_AT):
        return CUT
    if kind == "group":
        some = [*members[: _LOOKED_AT[level]], *members[-1:]]
        different = list(dict.fromkeys(_words(member, level + 1) for member in some))
        words = ", ".join([*different[:_SHOWN], *([CUT] if different[_SHOWN:] else [])])
        return (
            words if level == 0 or not members[1:] else f"{len(members):,} × {f'({words})' if different[1:] else words}"
        )
    first = level and level + 1 if kind == "chord" else level + 1  # the size of a whole chord is that of its header
    steps = [_words(step, level + 1 if n else first) for n, step in enumerate(members[:_SHOWN])]
    left_out = [CUT] if len(members) > _SHOWN + 1 else []
    words = " → ".join([*steps, *left_out, *(_words(step, level + 1) for step in members[_SHOWN:][-1:])])
    return words if level == 0 else f"({words})"
