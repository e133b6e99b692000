"""What the JSON API says of the jobs: the same as pages and commands."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobs import connect, monitor
from tests.jobs.monitor_site.api_client import Program, app_for_tests
from tests.jobs.monitor_site.shop import Shop, shop


@pytest.fixture
async def sold(redis_url: str) -> AsyncIterator[Shop]:
    async with shop(redis_url) as sold:
        yield sold


@pytest.fixture
async def program(redis_url: str) -> AsyncIterator[Program]:
    app = app_for_tests(redis_url)
    yield Program(app)
    await app.close()


async def test_it_says_what_the_library_knows(sold: Shop, program: Program, redis_url: str) -> None:
    async with connect(redis_url) as redis:
        [worker] = await monitor.workers(redis)
        queues = await monitor.queues(redis)

    assert [row["name"] for row in (await program.get("/workers"))["rows"]] == [worker.name]
    assert [row["name"] for row in (await program.get("/queues"))["rows"]] == [queue.name for queue in queues]
    about = await program.get(f"/workers/{worker.name}")
    assert sold.running.id in [row["id"] for row in about["rows"]]
    job = await program.get(f"/jobs/{sold.secret.id}")
    assert (job["call"]["args"], job["state"]) == (["John Doe", "***"], "SUCCESS")
    assert [one["code"] for one in (await program.get(f"/jobs/{sold.later.id}/why"))["rows"]] == ["due"]


async def test_pages_of_a_query_are_every_job_once(sold: Shop, program: Program) -> None:
    found, cursor = list[str](), ""
    while True:
        page = await program.get("/jobs", q="task:shop.echo state:succeeded", cursor=cursor, limit=7)
        found += [row["id"] for row in page["rows"]]
        assert len(page["rows"]) <= 7
        if not (cursor := page["next"]):
            break

    assert sold.succeeded.id in found
    assert len(set(found)) == len(found) > 60


@pytest.mark.parametrize(
    ("path", "status", "code", "words"),
    [
        ("/jobs?q=state:unknown", 400, "wrong-value", "state:unknown: write pending"),
        ("/jobs?cursor=x", 400, "wrong-value", "take it from the page before"),
        ("/jobs?limit=201", 400, "bad-parameter", "1 to 200"),
        ("/jobs?stat=failed", 400, "bad-parameter", "there are: q, cursor, limit"),
        ("/jobs?q=a&q=b", 400, "bad-parameter", "q: it is there twice"),
        ("/jobs?q=a%00b", 400, "bad-parameter", "NUL"),
        ("/jobs/none", 404, "gone", "Nothing with this name"),
        ("/workers/none", 404, "gone", "Nothing with this name"),
        ("/nothing", 404, "not-found", "nothing at this address"),
    ],
)
async def test_errors_say_what_is_wrong(program: Program, path: str, status: int, code: str, words: str) -> None:
    found = await program.get(path)

    assert (program.status, found["error"]["code"]) == (status, code)
    assert words in found["error"]["message"]


async def test_it_says_where_queues_go_and_what_is_stuck(sold: Shop, program: Program) -> None:
    rows = (await program.get("/forecasts"))["rows"]

    assert [row["queue"]["name"] for row in rows] == ["default", "mail"]
    assert rows[0]["queue"]["scheduled"] >= 3
    assert rows[0]["held"] == 1
    words = {row["words"].removesuffix("; 1 job held by a limit") for row in rows}
    assert words <= {"empty", "steady", "too new to tell", "nothing else waits"}
    assert (await program.get("/long-runs"))["rows"] == (await program.get("/lost-workers"))["rows"] == []
    assert (await program.get("/versions"))["rows"] == []
    assert await program.get("/comparison") is None
    await program.get("/comparison", version="none")
    assert program.status == 404
