"""What a worker says of its tasks reaches those who do not have their code."""

from __future__ import annotations

from typing import Any

from jobs import keys
from jobs.connection import JobsRedis
from jobs.known_tasks import KnownTask, known_tasks
from jobs.masking import Secrets, secrets_of
from tests.jobs.worker.conftest import connection

__all__ = ["connection"]


async def test_a_task_that_is_not_registered_here_is_masked_by_what_its_worker_says(
    connection: JobsRedis,
) -> None:
    async def create_user(self: Any, name: str, password: str, *tokens: str) -> None: ...

    told = KnownTask("mail", secrets_of(create_user, bound=True))
    await connection.hset(keys.TASKS, mapping={"elsewhere": told.told(), "plain": KnownTask().told()})

    known = await known_tasks(connection)

    assert known.tasks["elsewhere"] == told
    assert told.secrets == Secrets({1: "password", 2: "tokens"}, 2)
    assert known.masked("elsewhere", ("John", "pw", "t"), {})[0] == ["John", "***", "***"]
    assert known.masked("plain", ("John",), {"password": "pw"}) == (["John"], {"password": "***"})
    assert known.masked("nobody's", ("John",), {}) == (["John"], {})
