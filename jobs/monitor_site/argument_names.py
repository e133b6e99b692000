"""What to write instead of an argument that no call has under this name."""

from ..client.connection import JobsRedis
from ..tasks.declarations import known_tasks
from .model.wanted import has_name
from .query import Query

MOST_NAMES = 20


async def search_hint(connection: JobsRedis, searched: Query) -> str:
    """A sentence for a search that found nothing by an argument; '' if it names arguments that tasks have."""
    asked = [term for term in searched.terms if term.path]
    if not asked:
        return ""
    tasks = searched.value("task").split(",") if searched.value("task") else ["*"]
    known = {name: about.secrets for name, about in (await known_tasks(connection)).items() if has_name(tasks, name)}
    names = {one.strip("*=") for takes in known.values() for one in (*takes.parameters, *takes.by_name)} - {""}
    unknown = [term for term in asked if term.path[0] not in names and not term.path[0].isdecimal()]
    if not unknown or not names:
        return ""
    first, more = ".".join(unknown[0].path), len(names) - MOST_NAMES
    listed = ", ".join(sorted(names)[:MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")
    inside = f"{sorted(names)[0]}.{first}:{unknown[0].value}"
    return f"No task has an argument {first}: there are {listed}. A value inside of one has its whole path: {inside}"
