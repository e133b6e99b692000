"""Who looks at the monitor: what the host says of them holds at every address, and strangers learn nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs import Viewer, connect, monitor, monitor_app
from jobs.errors import SettingsMistake
from jobs.monitor_site.application import Monitor
from tests.app.marks import Marks
from tests.app.visitor import TOKEN
from tests.jobs.monitor_site.compiled import compiled
from tests.jobs.monitor_site.shop import echo, shop_worker
from tests.redis_server import RedisServer
from tests.waiting import wait_until

HERE = "http://127.0.0.1:8001"
FOR_READERS = "/zone"


def visiting(app: Monitor, base_url: str = HERE, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=compiled(app), **options), base_url=base_url)


def addresses(app: Monitor, method: str) -> list[str]:
    """Every address of the monitor that takes this method; of what readers may do in the API: test_api_access.py."""
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if method in (rule.methods or ()) and not (rule.arguments or (method == "POST" and "/api/" in rule.rule))
    )


def word(page: httpx.Response) -> str:
    return TOKEN.findall(page.text)[0]


async def nobody(request: Any) -> None:
    return None


@pytest.mark.parametrize("viewer", [nobody, lambda request: None], ids=["async", "sync"])
async def test_who_is_nobody_sees_nothing_that_tells_what_it_is(redis_url: str, viewer: Any) -> None:
    app = monitor_app(redis_url, viewer=viewer, title="Quarq of Acme", home="/home-of-acme")
    files = ["/static/monitor.css", "/static/vendor/VENDOR.txt", "/nowhere", "/sign-in"]
    answers = set[tuple[int, str]]()
    async with visiting(app) as stranger:
        for accept, method in product(("text/event-stream", "application/json"), ("GET", "POST")):
            for path in [*addresses(app, method), *files]:
                answer = await stranger.request(method, path, headers={"Accept": accept})
                answers.add((answer.status_code, accept, answer.text))
                assert "Set-Cookie" not in answer.headers, path

    assert len(answers) == 2  # one and the same for all, so that nobody learns what there is
    for status, accept, text in answers:
        assert status == 404
        assert not re.search("quarq|acme|monitor|job|static", text, re.IGNORECASE)
        assert text.startswith("{") is (accept == "application/json")


async def test_who_may_only_look_finds_no_button_and_changes_nothing(redis_url: str) -> None:
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann"))
    async with connect(redis_url) as redis, shop_worker(redis_url), visiting(app) as reader:
        failed = await echo.delay("x")
        later = await echo.apply_async(("x",), countdown=100)
        await failed.get(timeout=10)
        for page in ("/", "/queues", "/schedules", "/task?name=shop.echo", "/workers", f"/job?id={later.id}"):
            answer = await reader.get(page)
            assert answer.status_code == 200, page
            assert re.findall(r'<form[^>]* method="post"[^>]* action="([^"]*)"', answer.text) == [FOR_READERS], page
            assert not re.search(r'href="/(queue/purge|schedule/run)', answer.text), page
            assert "read-only" in Marks(answer.text).states
        for page in ("/queue/purge?name=default", "/schedule/run?name=stock-taking"):
            assert (await reader.get(page)).status_code == 403
        form = {"csrf_token": word(await reader.get("/queues")), "id": later.id, "name": "default", "typed": "default"}
        for path in addresses(app, "POST"):
            answer = await reader.post(path, data=form)
            assert answer.status_code == (204 if path == FOR_READERS else 403), path
            if path != FOR_READERS:
                assert Marks(answer.text).errors == ["read-only"]

        assert await later.state() == "PENDING"
        assert (await monitor.audit(redis)).rows == []


async def test_an_action_is_noted_with_the_name_of_who_did_it(redis_url: str) -> None:
    names = {"/a": "ann", "/b": "ben 🧑‍🔧".replace("\u200d", "")}
    app = monitor_app(redis_url, viewer=lambda request: Viewer(names[request.headers["X-User"]], can_act=True))
    async with connect(redis_url) as redis, visiting(app) as client:
        for user in names:
            page = await client.get("/queues", headers={"X-User": user})
            form = {"csrf_token": word(page), "name": "mail"}
            assert (await client.post("/queue/pause", data=form, headers={"X-User": user})).status_code == 303
        rows = (await monitor.audit(redis)).rows

    assert [row.who for row in rows] == [*reversed(names.values())]


@pytest.mark.parametrize(
    ("client", "host", "headers", "status"),
    [
        (("127.0.0.1", 1), "localhost:8001", {}, 200),
        (("127.8.9.1", 1), "127.0.0.1", {}, 200),
        (("::1", 1), "[::1]:8001", {}, 200),
        (("10.0.0.7", 1), "localhost", {}, 403),
        (("127.0.0.1", 1), "evil.example", {}, 403),
        (("127.0.0.1", 1), "127.0.0.1.evil.example", {}, 403),
        (("127.0.0.1", 1), "[::1", {}, 403),
        (("127.0.0.1", 1), "", {}, 403),
        (("127.0.0.1", 1), "localhost", {"Forwarded": "for=10.0.0.7"}, 403),
        (("127.0.0.1", 1), "localhost", {"X-Forwarded-For": "10.0.0.7"}, 403),
        (("127.0.0.1", 1), "localhost", {"X-Forwarded-Proto": "https"}, 403),
        (("127.0.0.1", 1), "localhost", {"X-Real-IP": "10.0.0.7"}, 403),
        (("127.0.0.1", 1), "localhost", {"Via": "1.1 proxy"}, 403),
        (None, "localhost", {}, 403),
    ],
)
async def test_without_a_viewer_it_answers_this_machine_alone(
    redis_url: str, client: Any, host: str, headers: dict[str, str], status: int
) -> None:
    async with visiting(monitor_app(redis_url), client=client) as browser:
        for path in ("/", "/static/monitor.css"):
            answer = await browser.get(path, headers={"Host": host, **headers})
            assert answer.status_code == status, path
            if status == 403:
                assert Marks(answer.text).errors == ["not-this-machine"]


@pytest.mark.parametrize(
    "cookie",
    ["x", "%", "é", "e30", "W10=", "bnVsbA==", "A" * 9_000,
     *({"csrf": "\ud800"}, {"csrf": 5}, {"csrf": "x" * 81}, {"zone": "../../etc/passwd"}, {"zone": "\0"}, {"zone": 1},
       {"_flashes": "x"}, {"_flashes": [["a"], 3, [1, 2], ["success x", "y" * 401], ["a", "\ud800"]]},
       {"sign_in": "x"})],
)  # fmt: skip
async def test_no_cookie_is_a_fault_or_believed(redis_url: str, cookie: Any) -> None:
    text = cookie if isinstance(cookie, str) else base64.urlsafe_b64encode(json.dumps(cookie).encode()).decode()
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True))
    async with visiting(app) as client:
        answer = await client.get("/queues", headers={b"Cookie": f"jobs_monitor={text}".encode()})

    assert answer.status_code == 200
    assert "<td" not in answer.text
    assert Marks(answer.text).notices == []
    assert "jobs_monitor=" in answer.headers["Set-Cookie"]  # a new word


async def test_a_form_needs_the_word_of_the_cookie_and_the_same_origin(redis_url: str) -> None:
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True))
    for scheme, secure in (("http", False), ("https", True)):
        async with visiting(app, f"{scheme}://example.org") as client:
            page = await client.get("/queues")
            [cookie] = page.headers.get_list("Set-Cookie")
            assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
            assert ("Secure" in cookie.split("; ")) is secure
            good = {"csrf_token": word(page), "name": "mail"}
            for form, headers in (
                ({**good, "csrf_token": ""}, {}),
                ({**good, "csrf_token": "é"}, {}),
                ({"name": "mail"}, {}),
                (good, {"Origin": "https://evil.example"}),
                (good, {"Origin": "null"}),
                (good, {"Sec-Fetch-Site": "cross-site"}),
                (good, {"Sec-Fetch-Site": "same-site"}),
            ):
                assert (await client.post("/queue/pause", data=form, headers=headers)).status_code == 403, headers
            origin = {"Origin": f"{scheme}://example.org", "Sec-Fetch-Site": "same-origin"}
            assert (await client.post("/queue/pause", data=good, headers=origin)).status_code == 303
            client.cookies.clear()
            assert (await client.post("/queue/pause", data=good, headers=origin)).status_code == 403


async def test_a_schedule_runs_only_after_a_question_ours_or_the_host_s(redis_url: str) -> None:
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann", can_act=True), questions={"mail": "/ask?a=1&b=2"})
    async with connect(redis_url) as redis, shop_worker(redis_url), visiting(app) as client:
        await redis.sadd("jobs:schedules", "mail")
        await redis.hset("jobs:schedule:mail", mapping={"task": "shop.echo", "when": "daily", "queue": "mail"})
        await wait_until(lambda: monitor.workers(redis), "the worker to be online")
        links = Marks((await client.get("/schedules")).text).actions
        assert {"/schedule/run?name=stock-taking", "/ask?a=1&b=2"} <= set(links)
        assert "/schedule/run" not in links

        page = await client.get("/schedule/run?name=stock-taking")
        assert Marks(page.text).actions == [
            *("/jobs", FOR_READERS, "/schedule/run", "/schedules", "/schedule/backfill?name=stock-taking")
        ]
        form = {"csrf_token": word(page), "name": "stock-taking"}
        assert (await client.post("/schedule/run", data=form)).headers["Location"] == "/schedules"
        for answer in (
            await client.get("/schedule/run?name=mail"),
            await client.post("/schedule/run", data={**form, "name": "mail"}),
        ):
            assert (answer.status_code, answer.headers["Location"]) == (303, "/ask?a=1&b=2")
        assert [row.target for row in (await monitor.audit(redis)).rows] == ["stock-taking"]
        assert (await client.get("/schedule/run?name=none")).status_code == 404


async def test_times_are_those_of_the_viewer_or_else_of_the_browser(redis_url: str) -> None:
    zones = {"ann": "Asia/Tokyo", "ben": ""}
    app = monitor_app(
        redis_url, viewer=lambda request: Viewer(request.args["who"], timezone=zones[request.args["who"]])
    )
    async with visiting(app) as client:
        assert "Asia/Tokyo" in (await client.get("/?who=ann")).text
        page = await client.get("/?who=ben")
        assert 'data-own-zone="UTC"' in page.text
        for zone in ("Europe/Berlin", "none/such"):
            sent = await client.post("/zone?who=ben", data={"csrf_token": word(page), "timezone": zone})
            assert sent.status_code == 204
        assert 'data-own-zone="Europe/Berlin"' in (await client.get("/?who=ben")).text


@pytest.mark.parametrize(
    "given", [{"name": ""}, {"name": "x" * 101}, {"name": "a\nb"}, {"name": "ann", "timezone": "Mars/Base"}]
)
def test_a_viewer_that_cannot_be_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingsMistake, match="Viewer"):
        Viewer(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"prefix": "jobs"}, {"trace_url": "https://traces.example"}])
def test_an_option_that_cannot_be_is_refused(redis_url: str, options: dict[str, Any]) -> None:
    with pytest.raises(SettingsMistake, match=next(iter(options))):
        monitor_app(redis_url, **options)


async def test_a_host_that_fails_or_answers_something_else_shows_nothing(redis_url: str) -> None:
    async def fails(request: Any) -> Viewer:
        raise RuntimeError("secret of the host")

    viewers: list[Any] = [fails, lambda request: True]
    for viewer in viewers:
        app = monitor_app(redis_url, viewer=viewer)
        async with visiting(app) as client:
            answer = await client.get("/")
        assert answer.status_code == 500
        assert not re.search("secret|monitor|Viewer", answer.text)


def test_it_serves_in_several_event_loops_without_a_lifespan(redis_url: str) -> None:
    app = monitor_app(redis_url, viewer=lambda request: Viewer("ann"))

    async def visit() -> int:
        async with visiting(app) as client:
            return (await client.get("/workers")).status_code

    assert [asyncio.run(visit()) for _ in range(3)] == [200, 200, 200]


async def test_beside_a_frozen_redis_every_page_answers_within_three_seconds(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    app = monitor_app(server.url, viewer=lambda request: Viewer("ann"))
    async with visiting(app) as client:
        assert (await client.get("/")).status_code == 200
        server.pause()
        began = time.monotonic()
        answers = await asyncio.gather(*(client.get(path) for path in ("/", "/jobs", "/workers", "/audit", "/queues")))
        took = time.monotonic() - began
        server.resume()
        assert {answer.status_code for answer in answers} == {503}
        assert took < 3
        assert (await client.get("/")).status_code == 200
    server.stop()
