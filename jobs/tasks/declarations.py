"""What workers say of their tasks, for those who do not have the code: which queue, and what nobody should see."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..store import keys
from ..store.store import Store
from . import registry
from .masking import MOST, NOTHING, Secrets, masked, secrets_of_task


@dataclass(frozen=True)
class KnownTask:
    """A task as a worker has declared it, or as a workflow has it settled."""

    queue: str = keys.DEFAULT_QUEUE
    secrets: Secrets = NOTHING
    expires: float | None = None
    """Seconds from each call; None: never."""

    def packed(self) -> str:
        own = self.secrets
        secrets = {"rest": own.rest, "places": own.places, "names": own.names}
        return json.dumps({"queue": self.queue, **secrets, "expires": self.expires}, ensure_ascii=False)


@dataclass(frozen=True)
class KnownTasks:
    """All tasks that a worker ever had, by name."""

    tasks: Mapping[str, KnownTask] = field(default_factory=dict)

    def masked(
        self, task: str, args: Sequence[Any], kwargs: Mapping[str, Any], most: int = MOST
    ) -> tuple[list[Any], dict[str, Any]]:
        """`masking.masked` by this process's own tasks, else by what a worker said of its."""
        return masked(task, args, kwargs, self._secrets_of, most)

    def _secrets_of(self, task: str) -> Secrets:
        return secrets_of_task(task) if registry.find(task) else self.tasks.get(task, KnownTask()).secrets


async def known_tasks(connection: Store) -> KnownTasks:
    """What workers have declared. It stays when they are gone: so do the jobs."""
    stored: dict[bytes, bytes] = await connection.hgetall(connection.key.TASKS)  # type: ignore[misc]
    read = {name.decode(errors="replace"): _read(about) for name, about in stored.items()}
    return KnownTasks({name: known for name, known in read.items() if known})


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
        secrets = Secrets(places, about["rest"], tuple(map(str, about["names"])))
        return KnownTask(str(about["queue"]), secrets, about.get("expires"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
