"""Whatever the API is asked, and whatever is in Redis, it answers JSON that everybody reads, and never a fault."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from jobs import Viewer, connect, monitor_app
from jobs.monitor_site import plain
from jobs.monitor_site.api.endpoints import ENDPOINTS
from tests.jobs.monitor_site.api_client import Program, app_for_tests
from tests.jobs.monitor_site.shop import Shop, echo, shop
from tests.redis_server import RedisServer

SCALARS = (
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(some.characters()) | some.binary()
    | some.datetimes() | some.dates() | some.times() | some.timedeltas() | some.decimals() | some.uuids()
    | some.builds(ValueError, some.text())
)  # fmt: skip
VALUES = some.recursive(
    SCALARS,
    lambda inner: (
        some.lists(inner) | some.dictionaries(some.text() | some.integers(), inner) | some.tuples(inner, inner)
    ),
    max_leaves=20,
)


@settings(max_examples=40)
@given(VALUES)
def test_every_value_becomes_json(value: Any) -> None:
    written = json.dumps(plain(value), allow_nan=False, ensure_ascii=False).encode(errors="backslashreplace")

    assert json.loads(written.decode()) == json.loads(json.dumps(plain(value)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**64), "-18446744073709551616"),
        pytest.param(10**5_000, "<an int of 16,610 bits>", id="long"),
        (True, True),
        (b"\x00\xff", "b'\\x00\\xff'"),
        ({1: {2}, (1, 2): None}, {"1": [2], "(1, 2)": None}),
        (datetime(2026, 12, 1, 10, 30, tzinfo=UTC), "2026-12-01T10:30:00+00:00"),
        (date(2026, 12, 1), "2026-12-01"),
        (timedelta(seconds=90), "0:01:30"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ValueError("no luck"), "no luck"),
    ],
)
def test_a_value_without_a_form_in_json_is_its_text(value: Any, shown: Any) -> None:
    assert plain(value) == shown


@pytest.fixture
async def program(redis_url: str) -> AsyncIterator[Program]:
    app = app_for_tests(redis_url)
    yield Program(app)
    await app.close()


UNSHRUNK = [phase for phase in Phase if phase not in (Phase.shrink, Phase.explain)]
WORDS = some.sampled_from(
    ["", "0", "-1", "9" * 30, "1h", "true", "state:failed", 'a:"', "took:>1s", "14:00", "2026-12-01", "\0", "é" * 600]
) | some.text(max_size=20)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | WORDS,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


# each example is a hundred requests: to shrink one would take minutes
@settings(max_examples=4, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=some.data())
async def test_whatever_is_asked_is_no_fault(program: Program, data: some.DataObject) -> None:
    """Each address, with some of its parameters, one that it has not, and ids that nothing has."""
    for endpoint in ENDPOINTS:
        name = data.draw(some.text(min_size=1, max_size=8).filter(lambda name: name not in (".", "..")))
        path = endpoint.path.replace("{id}", quote(name, safe="")).replace("{name}", quote(name, safe=""))
        known = some.sampled_from([*endpoint.wanted, "none"])
        if endpoint.method == "GET":
            query = data.draw(some.dictionaries(known, WORDS, max_size=3))
            await program.ask("GET", path, query_string=query)
        else:
            body = json.dumps(data.draw(some.dictionaries(known, JSON, max_size=3) | JSON))
            await program.ask("POST", path, {"Content-Type": "application/json"}, data=body)
        assert program.status in (200, 400, 404, 409), (endpoint.path, program.status)


NAMES = (
    *("a/b", "/a", "a/", "a//b", "a%2Fb", "a?b=c&d", "a#b", "a b", "%", "why", "../x", "é 🧑", "<b>"),
    *("a\\b", 'a"b', ";x"),
)


@pytest.mark.parametrize("mount", ["", "/jobs", "/stripped"])
async def test_any_id_is_found_by_its_address(redis_url: str, mount: str) -> None:
    """Whether the host leaves the prefix in the path or takes it away."""
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True))
    transport = httpx.ASGITransport(app=app, root_path=mount)
    prefix = "" if mount == "/stripped" else mount
    async with connect(redis_url), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for name in NAMES:
            await echo.apply_async((name,), task_id=name, queue=name, countdown=60)
            path = f"{prefix}/api/v1/jobs/{quote(name, safe='')}"
            job = (await client.get(path)).json()
            assert (job["id"], job["call"]["args"], job["row"]["queue"]) == (name, [name], name)
            assert (await client.get(f"{path}/why")).json()["rows"][0]["code"] == "due"
            paused = await client.post(f"{prefix}/api/v1/queues/{quote(name, safe='')}/pause", json={})
            assert paused.json()["code"] == "paused"
        queues = (await client.get(f"{prefix}/api/v1/queues")).json()["rows"]
        assert {queue["name"] for queue in queues if queue["paused"]} == set(NAMES)
    await app.close()


async def test_no_secret_is_in_any_answer(redis_url: str, program: Program) -> None:
    async with shop(redis_url) as sold:
        values = {"jobs": sold.secret.id, "workflows": sold.workflow.id, "tasks": "shop.create_user"}
        for endpoint in (one for one in ENDPOINTS if one.method == "GET"):
            value = values.get(endpoint.path.split("/")[1], "none")
            found = await program.get(endpoint.path.format(id=quote(value), name=quote(value)))
            assert "hunter2" not in json.dumps(found), endpoint.path
        assert (await program.get("/jobs", q="hunter2"))["rows"] == []
        assert await _names(program, sold) == ["***"]


async def _names(program: Program, sold: Shop) -> list[Any]:
    form = await program.get(f"/jobs/{sold.secret.id}/arguments")
    return [one["value"] for one in form["arguments"] if one["name"] == "password"]


async def test_what_redis_holds_is_answered_as_json(redis_url: str, program: Program) -> None:
    harm = ["\x00\x1b[31m", "<script>", math.nan, 2**70, b"\xff", {"a": [{"b": {1, 2}}]}, "é" * 20_000]
    async with connect(redis_url):
        jobs = [await echo.apply_async((value,), countdown=60) for value in harm]
    await program.get("/jobs")
    for job in jobs:
        assert (await program.get(f"/jobs/{job.id}"))["state"] == "PENDING"


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_without_redis_it_says_so_within_three_seconds(tmp_path: Path, how: str) -> None:
    server = RedisServer(tmp_path).start()
    program = Program(app_for_tests(server.url))
    await program.get("/queues")
    if how == "killed":
        server.kill9()
    else:
        server.pause()
    paths = ("/overview", "/jobs", "/jobs/x", "/workers", "/audit", "/errors", "/tasks")
    began = time.monotonic()

    answers = await asyncio.gather(*(program.get(path) for path in paths))
    answers.append(await program.post("/queues/mail/pause"))

    assert time.monotonic() - began < 6  # 3 s for those together, 3 s for the last one
    assert [answer["error"]["code"] for answer in answers] == ["redis-away"] * len(answers)
    if how == "frozen":
        server.resume()
        server.stop()
