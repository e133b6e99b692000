"""What docs/frameworks.md says of Django's tasks: copied next to its modules as a test, where Django is installed."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from orders.tasks import add_up, charge, confirm
from quarq_jobs import NotAwaited, Result, connect
from quarq_jobs.contrib.django_tasks import QuarqBackend, TaskResultDoesNotExist, task_enqueued, worker_settings
from site_settings import TASKS
from site_worker import WorkerSettings
from tasks import greet

REDIS_URL = TASKS["default"]["OPTIONS"]["redis_url"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def ended(result):
    deadline = time.monotonic() + 10
    while not result.is_finished:
        assert time.monotonic() < deadline
        result.refresh()
    return result


def test_a_result_has_all_that_django_documents() -> None:
    enqueued = add_up.enqueue(prices=(3, 5))
    result = add_up.get_result(ended(enqueued).id)

    assert (enqueued.args, enqueued.kwargs, enqueued.backend) == ([], {"prices": [3, 5]}, "default")
    assert (result.task, result.args, result.kwargs) == (add_up, [], {"prices": [3, 5]})
    assert (result.return_value, result.status, result.attempts, result.errors) == (8, "SUCCESSFUL", 1, [])
    assert result.enqueued_at <= result.started_at == result.last_attempted_at <= result.finished_at
    [worker] = result.worker_ids
    assert worker


def test_a_failure_has_its_class_and_traceback() -> None:
    result = ended(charge.enqueue(7))
    [error] = result.errors

    assert (result.status, error.exception_class) == ("FAILED", ConnectionError)
    assert error.traceback.startswith("Traceback ")
    assert 'raise ConnectionError("the bank does not answer")' in error.traceback
    with pytest.raises(ValueError, match="failed"):
        _ = result.return_value


def test_arguments_are_checked_by_the_caller() -> None:
    with pytest.raises(TypeError):
        add_up.enqueue(object())
    with pytest.raises(TypeError, match="missing a required argument"):
        add_up.enqueue()


def test_a_revoked_job_has_failed() -> None:
    async def revoked(job: str) -> None:
        async with connect(REDIS_URL):
            await Result(job).revoke()

    result = add_up.using(run_after=timezone.now() + timedelta(days=1)).enqueue([3])
    assert (result.status, add_up.get_result(result.id).status) == ("READY", "READY")
    asyncio.run(revoked(result.id))
    result.refresh()

    assert (result.status, [error.exception_class for error in result.errors]) == ("FAILED", [])


def test_what_does_not_exist_or_is_not_supported() -> None:
    async def of_quarq() -> str:
        async with connect(REDIS_URL):
            return (await greet.delay("Ann")).id

    for unknown in ("no-such-id", asyncio.run(of_quarq())):
        with pytest.raises(TaskResultDoesNotExist):
            add_up.get_result(unknown)
    with pytest.raises(Exception, match="priority"):
        add_up.using(priority=5)
    with pytest.raises(Exception, match="not valid for backend"):
        add_up.using(queue_name="elsewhere")
    for options in ({}, {"redis_url": REDIS_URL, "password": "secret"}):
        with pytest.raises(ImproperlyConfigured, match="redis_url"):
            QuarqBackend("default", {"OPTIONS": options})


@pytest.mark.anyio
async def test_async_code_awaits_and_a_worker_of_the_test_runs_it(jobs_worker) -> None:
    heard = []
    task_enqueued.connect(receiver := lambda task_result, **_: heard.append(task_result.id))
    async with jobs_worker(WorkerSettings):
        with pytest.raises(NotAwaited, match="await aenqueue"):
            confirm.enqueue("ann")
        result = await confirm.aenqueue("ann")
        await jobs_worker.until_idle()
        await result.arefresh()
    task_enqueued.disconnect(receiver)

    assert result.return_value == "mail 1 to ann"
    assert heard == [result.id]


def test_the_worker_serves_the_queues_of_the_backend_and_other_tasks_too() -> None:
    names = {function.name for function in WorkerSettings.functions}

    assert WorkerSettings.queues == ["default", "mail"]
    assert worker_settings(queues=["urgent"]).queues == ["urgent"]
    assert {"orders.tasks.add_up", "orders.tasks.confirm", "hello.greet"} <= names
