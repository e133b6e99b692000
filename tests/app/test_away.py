"""Every route while Redis or the database is away: an answer that says so, no fault, and no door that falls open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from quart import Quart

from app.database import Database
from settings import Settings
from tests.app.routes import Route, furnish
from tests.app.visitor import Visitor
from tests.redis_server import RedisServer

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that the test may kill."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture
def settings(settings: Settings, own_redis: RedisServer) -> Settings:
    return replace(settings, redis_url=own_redis.url)


async def statuses(app: Quart, person: Visitor, routes: list[Route]) -> dict[Route, tuple[int, float]]:
    """What this person gets of each route and after how many seconds, all at once: each may have to wait.

    What this process computes for all of them meanwhile is not counted.
    """
    await person.get("/account")
    [cookie] = [cookie for cookie in person.client.cookie_jar or () if cookie.name == "session"]
    headers = {"Cookie": f"session={cookie.value}", "X-CSRF-Token": person.token()}

    async def status(route: Route) -> tuple[int, float]:
        client = app.test_client(use_cookies=False)
        began, computed = time.monotonic(), time.process_time()
        answer = await client.open(route.path, method=route.method, headers=headers)
        return answer.status_code, time.monotonic() - began - (time.process_time() - computed)

    return dict(zip(routes, await asyncio.gather(*map(status, routes)), strict=True))


@pytest.mark.parametrize("fault", [RedisServer.kill9, RedisServer.pause], ids=["gone", "frozen"])
async def test_without_redis_every_route_answers_and_no_mail_can_be_asked_for(
    app: Quart,
    alice: Visitor,
    charlie: Visitor,
    owner: Visitor,
    own_redis: RedisServer,
    fault: Callable[[RedisServer], None],
) -> None:
    routes = [route for route in await furnish(app) if not route.signs]
    fault(own_redis)

    for person in (owner, charlie):
        for route, (status, took_s) in (await statuses(app, person, routes)).items():
            assert status < 500 or status == 503, (route, status)
            assert took_s < 3, route
            if person is charlie and (route.access == "owner" or route.owned):
                assert status in (403, 404), route
    for path in ("/sign-in", "/subscribe"):
        stranger = Visitor(app)
        assert (await stranger.post(path, email="new@example.org")).status_code == 503, path
    assert (await Visitor(app).get("/healthz")).status_code == 200
    assert (await Visitor(app).get("/readyz")).status_code == 503
    await writing_goes_on(app, owner)


async def writing_goes_on(app: Quart, owner: Visitor) -> None:
    """It needs SQL only."""
    await owner.get("/posts/new")
    typed = {"csrf_token": owner.token(), "tab": "tab-of-this-test", "change": "1", "title": "A title", "text": "Zebra"}
    for path, status in (("/posts/unsaved", 204), ("/posts/preview", 200), ("/posts/new", 303)):
        answer = await owner.client.post(path, form=typed | {"do": "preview" if path == "/posts/preview" else "now"})
        assert answer.status_code == status, path
    visitor = Visitor(app)
    assert (await visitor.get("/search?q=zebra")).status_code == 200
    assert "A title" in visitor.text


async def test_without_the_database_nobody_is_anybody(
    app: Quart, alice: Visitor, owner: Visitor, visitor: Visitor
) -> None:
    """Who somebody is cannot be known, so what is for somebody is a 503, and for a stranger the way to sign in."""
    routes = [route for route in await furnish(app) if not route.signs]
    await owner.get("/account")
    there = app.extensions["database"]
    app.extensions["database"] = away = Database("postgresql+asyncpg://quarq@127.0.0.1:1/site")
    try:
        for route in routes:
            response = await owner.client.open(route.path, method=route.method, headers={"X-CSRF-Token": owner.token()})
            if route.access == "inbox":
                assert response.status_code == 404, route
                continue
            assert response.status_code == 503, route
            if route.access != "public":
                assert (await visitor.client.open(route.path, method=route.method)).status_code in (303, 403), route
        assert (await Visitor(app).get("/healthz")).status_code == 200
        assert (await Visitor(app).get("/readyz")).status_code == 503
    finally:
        app.extensions["database"] = there
        await away.close()
    assert (await owner.get("/account")).status_code == 200, "and is still signed in"
