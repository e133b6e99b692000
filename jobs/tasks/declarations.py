"""What workers say of their tasks, for those who do not have the code: which queue, and what nobody should see."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from ..store import keys
from ..store.store import Store
from . import registry
from .masking import NOTHING, Lookup, Secrets, secrets_of_task


@dataclass(frozen=True)
class KnownTask:
    """A task as a worker has declared it, or as a workflow has it settled."""

    queue: str = keys.DEFAULT_QUEUE
    secrets: Secrets = NOTHING
    expires: float | None = None  # Seconds from each call; None: never.

    def packed(self) -> str:
        about = {"queue": self.queue, **vars(self.secrets), "expires": self.expires}
        return json.dumps(about, ensure_ascii=False)


KnownTasks: TypeAlias = Mapping[str, KnownTask]


def secrets_by(known: KnownTasks) -> Lookup:
    """The secrets of this process's own tasks, and of others what a worker said of its."""
    return lambda task: secrets_of_task(task) if registry.find(task) else known.get(task, KnownTask()).secrets


async def known_tasks(connection: Store) -> KnownTasks:
    """All tasks that workers ever had. They stay when those are gone: so do the jobs."""
    stored: dict[bytes, bytes] = await connection.hgetall(connection.key.TASKS)  # type: ignore[misc]
    read = {name.decode(errors="replace"): _read(about) for name, about in stored.items()}
    return {name: known for name, known in read.items() if known}


async def declared(connection: Store, names: list[str]) -> dict[str, KnownTask]:
    """What workers have declared of the calls of these tasks; those that no worker has declared are left out."""
    found: list[bytes | None] = await connection.hmget(connection.key.TASKS, names)  # type: ignore[misc]
    known = {name: _read(about) for name, about in zip(names, found, strict=True)}
    return {name: replace(about, queue=about.queue or keys.DEFAULT_QUEUE) for name, about in known.items() if about}


def _read(stored: bytes | None) -> KnownTask | None:
    """None: no worker has declared it, or what is stored is damaged."""
    try:
        about: dict[str, Any] = json.loads(stored or b"")
        places = {int(place): str(name) for place, name in about["places"].items()}
        # those of before 0.2.0 say only of secrets
        names = (tuple(map(str, about.get(which, ()))) for which in ("names", "parameters", "by_name"))
        secrets = Secrets(places, about["rest"], *names)
        return KnownTask(str(about["queue"]), secrets, about.get("expires"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
