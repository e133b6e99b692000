"""What `quarq_jobs.limits` has: `await limits.set(sync, 2, tenant_id=7)`."""

from builtins import list as _list
from typing import Any

from ...store import default
from ...tasks.registry import RegisteredTask
from ...values.calls import awaited
from . import limits as _model
from .limits import LimitInfo

__all__ = ["LimitInfo", "list", "pause", "resume", "set"]


@awaited
async def set(task: RegisteredTask | str, most: str | int | None, /, **key: Any) -> None:
    """What counts from now on, for all workers, until it is changed: how many run at a time (5), or start in a time
    ("10/s"). None: what the task declares, of both. *key*: for jobs with these values alone, `tenant_id=7`.

    Waiting jobs hear of it at once. WrongValue: the task has no limit per these parameters, or a
    value that no key has. SettingsMistake: a rate that cannot be.
    """
    await _model.set_limit(*await _asked(task, key), most)


@awaited
async def pause(task: RegisteredTask | str, /, **key: Any) -> None:
    """Start no more of them until `resume`: a limit of 0. What runs goes on; what is set counts again then."""
    await _model.pause_limit(*await _asked(task, key))


@awaited
async def resume(task: RegisteredTask | str, /, **key: Any) -> None:
    """Start those that were paused again."""
    await _model.resume_limit(*await _asked(task, key))


@awaited
async def list(task: RegisteredTask | str, /, **key: Any) -> _list[LimitInfo]:
    """The limits of the task, and of up to 100 keys: where most jobs wait, or something is set; or of one *key*."""
    connection, name, one = await _asked(task, key)
    return await _model.limit_list(connection, name, one if key else None)


async def _asked(task: RegisteredTask | str, key: dict[str, Any]) -> tuple[Any, str, str]:
    name, connection = task if isinstance(task, str) else task.name, default.current()
    return connection, name, await _model.key_for(connection, name, key)
