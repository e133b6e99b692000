"""Who gets in where: each route and method, for a stranger, for somebody else, for a cookie that was signed out."""

from __future__ import annotations

from quart import Quart
from werkzeug.routing import Rule

from tests.app.visitor import Visitor


def routes(app: Quart) -> list[tuple[Rule, str, str]]:
    """Every (rule, method, path), with 1 for each number and `x` for each word in it."""
    found = []
    for rule in app.url_map.iter_rules():
        values = {
            name: 1 if "Integer" in type(rule._converters[name]).__name__ else "x" for name in rule.arguments
        }
        built = rule.build(values, append_unknown=False)
        assert built is not None, rule
        found += [(rule, method, built[1]) for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}]
    return found


def access(app: Quart, rule: Rule) -> str:
    return "public" if rule.endpoint == "static" else getattr(app.view_functions[rule.endpoint], "access", "")


async def code(visitor: Visitor, method: str, path: str) -> int:
    """The status of this request, with the form token that the visitor has."""
    headers = {"X-CSRF-Token": visitor.token()}
    return (await visitor.client.open(path, method=method, headers=headers)).status_code


async def test_a_stranger_gets_into_public_pages_only(app: Quart, visitor: Visitor) -> None:
    await visitor.get("/sign-in")

    for rule, method, path in routes(app):
        status = await code(visitor, method, path)
        if access(app, rule) == "public":
            assert status < 500, (method, path)
        else:
            assert status == 303, (method, path)


async def test_the_owner_s_pages_are_forbidden_to_other_accounts(app: Quart, charlie: Visitor) -> None:
    await charlie.get("/account")

    for rule, method, path in routes(app):
        if access(app, rule) == "owner":
            assert await code(charlie, method, path) == 403, (method, path)


async def test_what_belongs_to_nobody_and_what_belongs_to_another_look_the_same(
    app: Quart, alice: Visitor, charlie: Visitor
) -> None:
    """Reminder 1 is Alice's. For Charlie it is not there, as reminder 2 is not."""
    await alice.post("/reminders/new", text="Mine", **{"in": "1h"})
    await alice.get("/account")
    await charlie.get("/account")

    for rule, method, path in routes(app):
        if access(app, rule) == "signed_in" and rule.arguments:
            assert await code(charlie, method, path) == 404, (method, path)
            assert await code(alice, "GET", path.replace("1", "2")) in (404, 405), path


async def test_a_cookie_that_was_signed_out_is_a_stranger_s(app: Quart, alice: Visitor) -> None:
    copied = next(cookie for cookie in alice.client.cookie_jar or () if cookie.name == "session")
    await alice.get("/account")
    token = alice.token()
    headers = {"Cookie": f"session={copied.value}", "X-CSRF-Token": token}
    await alice.post("/sign-out", page="/account")

    thief = app.test_client(use_cookies=False)
    for rule, method, path in routes(app):
        if access(app, rule) != "public":
            response = await thief.open(path, method=method, headers=headers)
            assert response.status_code in (303, 403), (method, path)
            assert method == "GET" or response.status_code == 403 or "/sign-in" in str(response.location)
