"""docs/api.md: its viewer lets programs in, and each of its commands answers what the page shows."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest

from jobs import Result, chain, connect, task, worker_settings
from jobs.monitor_site.api.endpoints import ENDPOINTS
from settings import ROOT
from tests.app.working import running
from tests.documents import CHECKER, FLAGS, Page
from tests.registered_tasks import forget
from tests.waiting import wait_until

PAGE = Page(ROOT / "docs" / "api.md")
TOKENS = {"READING": "r-1", "ACTING": "a-1"}


@task(name="store.charge")
async def charge(customer_id: int, token: str) -> int:
    if customer_id == 4712:
        raise LookupError(f"no card of {customer_id}")
    return customer_id


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Any:
    yield
    forget("store.charge")


@pytest.fixture
async def app(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """The application of the page, and the store."""
    (tmp_path / "operators.py").write_text(PAGE.modules()["operators.py"])
    monkeypatch.syspath_prepend(tmp_path)
    for name, token in (TOKENS | {"REDIS_URL": redis_url}).items():
        monkeypatch.setenv(name, token)
    app = importlib.import_module("operators").app
    made: Any = worker_settings(redis_url=redis_url, tasks=[charge], version="v2", job_completion_wait=0)
    async with connect(redis_url), running(made):
        orders = [await charge.apply_async((n, "t-1"), task_id=f"order-{n}") for n in (4711, 4712)]
        await charge.apply_async((4713, "t-1"), task_id="order-4713", countdown=3_000)
        for order in orders:
            await order.get(propagate=False, timeout=10)
        yield app
    await app.close()
    del sys.modules["operators"]


def curl(client: httpx.AsyncClient, command: str) -> Any:
    """The request of a command line of curl, with the few options that the page uses."""
    words = shlex.split(Template(command).substitute(TOKENS))
    options: dict[str, Any] = {"method": "GET", "headers": {}, "params": {}}
    while words:
        match words:
            case ["curl" | "-s" | "-G", *words]:
                pass
            case ["-H", header, *words]:
                options["headers"] |= {header.partition(": ")[0]: header.partition(": ")[2]}
            case ["-d" | "--data-urlencode", pair, *words]:
                options["params"] |= {pair.partition("=")[0]: pair.partition("=")[2]}
            case ["--json", body, *words]:
                options |= {"method": "POST", "content": body.encode()}
                options["headers"] |= {"Content-Type": "application/json", "Accept": "application/json"}
            case [url, *words]:
                options["url"] = url
    if not options["params"]:
        del options["params"]
    return client.request(**options)


async def test_each_command_answers_what_the_page_shows(app: Any) -> None:
    asked = 0
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        for section in PAGE.sections.values():
            for fence in section.fences("console"):
                for command, want in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", fence, re.MULTILINE):
                    answer = await curl(client, command)
                    assert CHECKER.check_output(want, answer.text + "\n", FLAGS), f"{command} answers\n{answer.text}"
                    asked += 1
                    if answer.json().get("code") == "retried":
                        await Result(answer.json()["id"]).get(propagate=False, timeout=10)

    assert asked > 10


async def test_the_eleven_questions_are_answered(app: Any) -> None:
    """By the addresses of the table, of things that the table does not know."""
    flow = await chain(charge.s(4714, "t-1"), charge.si(4715, "t-1")).delay()
    await flow.get(timeout=10)
    headers = {"Authorization": f"Bearer {TOKENS['ACTING']}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost/api/v1/", headers=headers
    ) as client:

        async def get(path: str) -> Any:
            answer = await client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            return answer.json()

        assert [one["code"] for one in (await get("jobs/order-4713/why"))["rows"]] == ["due"]
        [error] = (await get("errors?since=1h"))["rows"]
        assert (error["task"], sum(error["counts"])) == ("store.charge", 1)
        assert (await get(f"errors/{error['id']}"))["jobs"] == ["order-4712"]
        plan = await client.post("plans", json={"action": "retry", "q": "task:store.charge state:failed since:1h"})
        assert plan.json()["jobs"] == 1
        assert (await client.post(f"plans/{plan.json()['id']}/start", json={})).json()["jobs"] == 1
        [worker] = (await get("workers"))["rows"]
        assert (await get(f"workers/{worker['name']}"))["worker"]["version"] == "v2"
        assert [await get(path) for path in ("long-runs", "lost-workers")] == [{"rows": []}] * 2
        await client.post("queues/default/pause", json={})
        [forecast] = (await get("forecasts"))["rows"]
        assert forecast["paused_by"]["who"] == (await get("audit"))["rows"][0]["who"] == "deploys"
        assert {"growth", "drains_s", "slots_short"} <= forecast.keys()
        steps = (await get(f"workflows/{flow.id}"))["steps"]
        assert [step["task"] for step in steps] == ["", "store.charge", "store.charge"]
        found = await get("jobs?q=customer_id:4711")
        assert [row["id"] for row in found["rows"]] == ["order-4711"]
        assert (await get("jobs/order-4711/arguments"))["arguments"][0]["value"] == 4711
        again = await client.post("jobs/order-4711/run-again", json={"arguments": {"customer_id": 4716}})
        assert again.json()["id"] == "order-4711~2"
        assert "store.charge" in [row["name"] for row in (await get("tasks?sort=p95"))["rows"]]
        await wait_until(lambda: get("comparison?version=v2"), "the version to be seen")
        assert [one["name"] for one in (await get("versions"))["rows"]] == ["v2"]

    assert len(re.findall(r"^\| [A-Z]", PAGE.sections[4].text, re.MULTILINE)) == 11
    known = {re.sub(r"\{\w+\}", "X", f"{one.method} {one.path[1:]}") for one in ENDPOINTS}
    for address in re.findall(r"`((?:GET|POST) [^`]+)`", PAGE.sections[4].text):
        assert re.sub(r"(?<=/)[A-Z]+\b", "X", address.partition("?")[0]) in known, address
