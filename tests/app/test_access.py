"""Who gets in where: every route and method, for a stranger, for somebody else, for the owner, for an old cookie.

The routes are read from the application: one that lands later is tried too, and one that says nothing of access,
or has a variable part that `tests/app/routes.py` does not know, fails.
"""

from __future__ import annotations

import pytest
from quart import Quart

from tests.app.routes import ASK_FOR_ONE, Route, furnish, has_fault, token_for
from tests.app.visitor import Visitor


async def code(visitor: Visitor, route: Route) -> int:
    """The status of this request, with the form token that the visitor has."""
    headers = {"X-CSRF-Token": await token_for(visitor, route)}
    return (await visitor.client.open(route.path, method=route.method, headers=headers)).status_code


async def test_every_route_says_who_may_open_it(app: Quart, alice: Visitor) -> None:
    for route in await furnish(app):
        assert route.access in {"public", "signed_in", "owner", "inbox"}, route


async def test_a_stranger_gets_into_public_pages_only(app: Quart, alice: Visitor, visitor: Visitor) -> None:
    routes = await furnish(app)
    await visitor.get("/sign-in")

    for route in sorted(routes, key=lambda route: (route.signs, "sign-in" in route.path)):
        status = await code(visitor, route)
        if route.access == "public":
            assert not has_fault(route.path, status), route
        else:
            assert status == (404 if route.access == "inbox" else 303), route


async def test_another_account_gets_nothing_of_the_owner_s_and_of_alice_s(
    app: Quart, alice: Visitor, charlie: Visitor
) -> None:
    """What belongs to the owner is forbidden, what belongs to Alice does not exist."""
    routes = await furnish(app)
    await charlie.get("/account")

    for route in sorted(routes, key=lambda route: route.signs):
        status = await code(charlie, route)
        if route.access == "owner":
            assert status == 403, route
        elif route.owned or route.access == "inbox":
            assert status == 404, route
        else:
            assert not has_fault(route.path, status), route
            assert status not in (401, 404), route


@pytest.mark.both_databases("every route runs once on Postgres, too")
async def test_alice_reads_what_is_hers_and_what_is_nobody_s_is_not_there(app: Quart, alice: Visitor) -> None:
    """The same 404 as for what is somebody else's, so nobody learns what there is."""
    routes = await furnish(app)
    await alice.get("/account")

    owned = [route for route in routes if route.owned]
    assert owned
    for route in owned:
        if route.method == "GET":
            assert await code(alice, route) == 200, route
        elsewhere = Route(route.method, route.path.replace("/1", "/999"), "", False, False)
        assert elsewhere.path != route.path
        assert await code(alice, elsewhere) == 404, elsewhere


@pytest.mark.both_databases("every route runs once on Postgres, too")
async def test_the_owner_gets_in_everywhere_but_into_what_is_alice_s(
    app: Quart, alice: Visitor, owner: Visitor
) -> None:
    routes = await furnish(app)
    await owner.get("/account")

    for route in sorted(routes, key=lambda route: (route.signs, route.method)):
        status = await code(owner, route)
        assert not has_fault(route.path, status), route
        shows = route.method == "GET" and route.path not in ASK_FOR_ONE
        hidden = route.owned or route.access == "inbox"
        if hidden or shows:  # what is sent may have deleted what comes after it
            assert (status == 404) == hidden, (route, status)
        assert route.signs or status not in (401, 403), route


async def test_a_cookie_that_was_signed_out_is_a_stranger_s(app: Quart, alice: Visitor, owner: Visitor) -> None:
    routes = await furnish(app)
    for person in (alice, owner):
        [cookie] = [cookie for cookie in person.client.cookie_jar or () if cookie.name == "session"]
        await person.get("/account")
        headers = {"Cookie": f"session={cookie.value}", "X-CSRF-Token": person.token()}
        await person.post("/sign-out", page="/account")

        thief = app.test_client(use_cookies=False)
        for route in routes:
            if route.access not in ("public", "inbox"):
                response = await thief.open(route.path, method=route.method, headers=headers)
                assert response.status_code in (303, 403), route
                assert response.status_code == 403 or response.location == "/sign-in", route


async def test_the_api_of_the_monitor_is_the_owner_s(
    app: Quart, visitor: Visitor, alice: Visitor, owner: Visitor
) -> None:
    """For programs there is no sign-in page: a stranger gets 404."""
    json = {"headers": {"Accept": "application/json"}}
    for somebody, status in ((visitor, 404), (alice, 403), (owner, 200)):
        for method in ("GET", "POST"):
            path = "/monitor/api/v1/queues" if method == "GET" else "/monitor/api/v1/queues/mail/pause"
            options = json | ({"json": {}} if method == "POST" else {})
            answer = await somebody.client.open(path, method=method, **options)
            assert answer.status_code == status, (method, status)
            assert answer.content_type == "application/json"
            assert "Location" not in answer.headers
