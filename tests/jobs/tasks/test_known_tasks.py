"""What a worker says of its tasks reaches those who do not have their code."""

from __future__ import annotations

from typing import Any

from jobs import signature
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from jobs.tasks.current import Request
from jobs.tasks.declarations import KnownTask, known_tasks, secrets_by
from jobs.tasks.masking import Secrets, masked, secrets_of
from tests.jobs.worker.conftest import connection

__all__ = ["connection"]


async def test_a_task_that_is_not_registered_here_is_masked_by_what_its_worker_says(connection: JobsRedis) -> None:
    async def create_user(self: Any, name: str, password: str, *tokens: str, api_key: str = "") -> None: ...

    told = KnownTask("mail", secrets_of(create_user, bound=True))
    await connection.hset(Keys.TASKS, mapping={"elsewhere": told.packed(), "plain": KnownTask().packed()})

    known = await known_tasks(connection)

    assert known["elsewhere"] == told
    assert told.secrets == Secrets({1: "password", 2: "tokens"}, 2, ("api_key",))
    assert masked("elsewhere", ("John", "pw", "t"), {}, secrets_by(known))[0] == ["John", "***", "***"]
    assert masked("plain", ("John",), {"password": "pw"}, secrets_by(known)) == (["John"], {"password": "***"})
    assert masked("nobody's", ("John",), {}, secrets_by(known)) == (["John"], {})


async def test_names_that_only_the_worker_hides_are_hidden_elsewhere_too(connection: JobsRedis) -> None:
    told = KnownTask(secrets=Secrets({0: "ssn"}, names=("iban",)))
    await connection.hset(Keys.TASKS, "elsewhere", told.packed())

    known = await known_tasks(connection)

    shown = masked("elsewhere", (), {"ssn": "1", "iban": "2", "x": 3}, secrets_by(known))
    assert shown[1] == {"ssn": "***", "iban": "***", "x": 3}


async def test_so_are_the_arguments_of_maps_and_of_what_error_callbacks_are_told(connection: JobsRedis) -> None:
    await connection.hset(Keys.TASKS, "elsewhere", KnownTask(secrets=Secrets({1: "password"})).packed())
    known = await known_tasks(connection)
    starmap = signature("elsewhere").starmap([("John", "pw1"), ("Jane", "pw2")])
    request = Request("id", "elsewhere", ("John", "pw3"), {})

    for call in (starmap, signature("jobs.log", (request,))):
        shown = str(masked(call.task, call.args, call.kwargs, secrets_by(known)))
        assert "John" in shown
        assert "pw" not in shown
