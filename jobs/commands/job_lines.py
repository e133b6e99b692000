"""Jobs as rows: the same for every command that lists some."""

from collections.abc import Iterable
from typing import Any

from ..monitor import MaskedCall
from ..values.short_text import cut
from ..values.untrusted_text import printable

ARGUMENT_CHARS = 60
"""Characters of a call's arguments in a line."""


def as_data(call: MaskedCall) -> dict[str, Any]:
    """Task and masked arguments, for JSON."""
    return {"task": call.task or "?", "args": call.args, "kwargs": call.kwargs}


def line(job_id: str, call: MaskedCall, *more: str) -> str:
    """`id  task(arguments)  and more`."""
    shown = f"{call.task or '?'}({call.text(ARGUMENT_CHARS)})"
    return "  ".join([job_id, shown, *(word for word in more if word)])


def span(seconds: float) -> str:
    """`3.2 s`, `5 min`, `2 h`, `4 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def joined(names: Iterable[str], limit: int = 200) -> str:
    """Names in one line, which a prompt may show."""
    return cut(printable(", ".join(names)), limit)
