"""The ids of jobs that other jobs call: the members of a workflow, and callbacks.

Such an id is the caller's id, a separator and a place: `nightly::0.2`, `order:42::-1.0`. No call may be given an id
that ends in `::` and a place, so none of these ids is that of another job. Where the workflow was given no id (its own
is random), or an earlier release has stored it, the separator is a single `:`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

GIVEN: Final = "::"  # The separator below a given id, and before the place of a callback.
MADE: Final = ":"
SEPARATOR: Final = "separator"  # Where the root of a stored tree says which one it is; MADE where it does not.

_RESERVED = re.compile(r"::(-|-?[0-9]+(\.-?[0-9]+)*)\Z")


def prefix_of(workflow: str, tree: Mapping[str, Any]) -> str:
    """What the ids of a workflow's members begin with. *tree*: its root, as it is stored."""
    return f"{workflow}{tree.get(SEPARATOR, MADE)}"


def callback_id(job_id: str, mark: int, number: int) -> str:
    """The id of a callback of a job that is no node of a workflow; *mark*: LINK or LINK_ERROR."""
    return f"{job_id}{GIVEN}{mark}.{number}"


def is_reserved(job_id: str) -> bool:
    """Is it an id that only a member or a callback can have?"""
    return GIVEN in job_id and _RESERVED.search(job_id) is not None


def place_in(workflow: str, job_id: str) -> str:
    return job_id.removeprefix(workflow).lstrip(":")
