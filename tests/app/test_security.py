"""What every page refuses and every answer carries, whatever the feature."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace

import pytest
from quart import Quart, Response

from app import create_app
from app.accounts import owner_only, public
from app.context import site
from app.embedded.key import make_key
from app.web.clients import client_address
from jobs.monitor_site.web.limits import BODY_LIMIT
from settings import Settings
from tests.app.marks import Marks
from tests.app.routes import furnish, has_fault, rules, token_for
from tests.app.rows import everything_stored
from tests.app.visitor import Visitor

NO_FIELDS = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_no_form_is_taken_without_the_token_of_this_browser(
    app: Quart, alice: Visitor, charlie: Visitor, owner: Visitor
) -> None:
    """Every route that changes something, also those of features that this test does not know."""
    routes = await furnish(app)
    for person in (alice, charlie, owner):
        await person.get("/account")
    alice.client.set_cookie("localhost", f"inbox-{alice.settings.port}", make_key(alice.settings))
    before = await everything_stored(app)

    for route in routes:
        if route.method == "GET" or route.without_csrf:
            continue
        person = owner if route.access == "owner" else alice
        good = {"csrf_token": await token_for(person, route)}
        assert good["csrf_token"]
        for form, headers in (
            ({}, {}),
            ({"csrf_token": "x"}, {}),
            ({"csrf_token": "ünicode"}, {}),
            ({"csrf_token": charlie.token()}, {}),
            (good, {"Origin": "https://evil.example"}),
            (good, {"Origin": "null"}),
            (good, {"Sec-Fetch-Site": "cross-site"}),
            (good, {"Sec-Fetch-Site": "same-site"}),
        ):
            response = await person.client.open(route.path, method=route.method, form=form, headers=headers)
            assert response.status_code == 403, (route, form, headers)
        response = await person.client.open(
            route.path, method=route.method, data=b'{"csrf_token": "x"}', headers={"Content-Type": "text/plain"}
        )
        assert response.status_code == 403, route

    assert await everything_stored(app) == before


async def test_only_these_views_take_a_form_without_a_token(app: Quart) -> None:
    """Each carries its own proof: a token in its address."""
    without = [name for name, view in app.view_functions.items() if getattr(view, "without_csrf", False)]

    assert sorted(without) == ["consents.stop", "orders.answer", "replies.answer", "subscribers.unsubscribe"]


async def test_getting_a_page_changes_nothing(app: Quart, alice: Visitor, owner: Visitor, visitor: Visitor) -> None:
    """Nor does a GET or HEAD of an address that acts: links are opened by scanners, and fetched before a click."""
    routes = await furnish(app)
    before = await everything_stored(app)

    for person in (visitor, alice, owner):
        for path in sorted({route.path for route in routes}):
            shows = any(route.path == path and route.method == "GET" for route in routes)
            for method in ("GET", "HEAD"):
                status = (await person.client.open(path, method=method)).status_code
                locked = path.startswith("/monitor/") and person is not owner  # it asks first who they are
                assert shows or status in ((303, 403) if locked else (405,)), (method, path, status)
                assert not has_fault(path, status), (method, path)

    assert await everything_stored(app) == before


async def test_the_token_may_come_in_a_header(alice: Visitor) -> None:
    await alice.get("/account")

    response = await alice.client.post(
        "/account", form={"timezone": "UTC"}, headers={"X-CSRF-Token": alice.token(), "Sec-Fetch-Site": "same-origin"}
    )

    assert response.status_code == 303


async def test_every_answer_carries_the_headers_that_protect_it(app: Quart, alice: Visitor) -> None:
    for path in ("/", "/sign-in", "/account", "/nowhere", "/static/site.css"):
        headers = (await alice.get(path)).headers

        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        for directive in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert directive in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


async def test_pages_hold_no_inline_script_or_style(app: Quart, alice: Visitor, visitor: Visitor) -> None:
    for someone in (alice, visitor):
        for path in ("/", "/sign-in", "/account", "/nowhere"):
            await someone.get(path)
            assert "<style" not in someone.text
            assert " style=" not in someone.text
            assert "<script>" not in someone.text
            assert " onclick=" not in someone.text


async def test_what_a_session_saw_is_never_stored(app: Quart, alice: Visitor, owner: Visitor, visitor: Visitor) -> None:
    """Every page for whoever is signed in. Without a session, a reader's browser may keep it and ask again."""
    routes = await furnish(app)
    for path in [*{route.path for route in routes if route.method == "GET"}, "/nowhere"]:
        for person in (alice, owner):
            headers = (await person.get(path)).headers
            if path.startswith("/pictures/") and not path.endswith("/delete"):
                assert "immutable" in headers["Cache-Control"], "the same for everybody"
                continue
            assert headers["Cache-Control"] == "no-store", path
            assert "Cookie" in headers["Vary"], path

    for path in ("/", "/about", "/feed.atom", "/posts/1-first"):
        headers = (await visitor.get(path)).headers
        assert headers["Cache-Control"] == "no-cache", path
        assert "Cookie" in headers["Vary"], path
        assert "Set-Cookie" not in headers, path


async def test_what_is_behind_a_link_is_kept_by_nobody(app: Quart, alice: Visitor) -> None:
    """Every page with a token in its address, for those who have no session, with a token that is right or wrong."""
    behind = {rule.rule for _, rule, _ in rules(app) if "token" in rule.arguments and "GET" in rule.methods}
    paths = {route.path for route in await furnish(app) if route.method == "GET" and route.has_token}
    assert len(paths) == len(behind) > 5

    for path in paths:
        for tried in (path, path.replace(".ics", "x.ics") if path.endswith(".ics") else f"{path}x"):
            for person in (Visitor(app), alice):
                headers = (await person.get(tried)).headers
                program = person is not alice and tried == path and path.endswith(".ics")  # reads it again and again
                assert ("private, max-age=600" if program else "no-store") in headers["Cache-Control"], tried
                assert headers["X-Robots-Tag"] == "noindex", tried


async def test_signing_out_clears_what_the_browser_keeps(alice: Visitor) -> None:
    for path in ("/sign-out", "/sign-out-everywhere"):
        response = await alice.post(path, page="/account")
        assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
        await alice.sign_in()


async def test_files_may_be_stored(visitor: Visitor) -> None:
    """All that a page of the site names, and that of the monitor, by somebody who is not signed in."""
    await visitor.get("/")
    named = re.findall(r'(?:src|href)="([^"]*/static/[^"]+)"', visitor.text)
    assert {"/static/site.css", "/monitor/static/base.css", "/monitor/static/icon.svg"} <= set(named)
    for path in [*named, "/monitor/static/monitor.css"]:
        response = await visitor.get(path)

        assert response.status_code == 200
        assert "no-store" not in response.headers.get("Cache-Control", "")
        assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:8000", "[::1", "a b", "", "127..0.1", ".", "x" * 64],
)
async def test_a_foreign_host_reads_nothing(app: Quart, host: str) -> None:
    client = app.test_client(use_cookies=False)
    for path in ("/", "/static/site.css", "/nowhere"):
        response = await client.get(path, headers={"Host": host})

        assert response.status_code == 400
        assert Marks(await response.get_data(as_text=True)).errors == ["wrong-host"]
    assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
async def test_this_machine_may_ask_by_any_of_its_names(visitor: Visitor, host: str) -> None:
    assert (await visitor.get("/", headers={"Host": host})).status_code == 200


async def test_a_body_over_the_limit_is_refused_with_a_page(alice: Visitor) -> None:
    await alice.get("/account")

    response = await alice.client.post("/account", form={"csrf_token": alice.token(), "x": "x" * BODY_LIMIT})

    assert response.status_code == 413
    assert Marks(await response.get_data(as_text=True)).errors == ["413"]


async def test_a_chunked_upload_over_the_limit_is_refused_and_not_kept(app: Quart) -> None:
    """Quart alone takes 20 MB here."""
    boundary = "b"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'.encode()
    async with app.test_client().request(
        "/sign-in", method="POST", headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
    ) as connection:
        await connection.send(head)
        for _ in range(20):
            await connection.send(b"x" * 1_000_000)
            await asyncio.sleep(0)
        await connection.send_complete()
        response = await connection.as_response()

    assert response.status_code == 413


@pytest.mark.parametrize("body", [b"a=&" * 80_000, b"&" * 250_000])
async def test_a_form_of_endless_fields_holds_nobody_up(app: Quart, body: bytes) -> None:
    start = time.perf_counter()
    response = await app.test_client().post("/sign-in", data=body, headers=NO_FIELDS)

    assert response.status_code == 413
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("body", [b"a=%00", b"%00=a", b"csrf_token=%ff%fe", b"%", b"\xff\xfe", b""])
async def test_bytes_that_are_no_text_are_no_fault_of_ours(app: Quart, body: bytes) -> None:
    response = await app.test_client().post("/sign-in", data=body, headers=NO_FIELDS)

    assert response.status_code in (400, 403)


async def test_what_does_not_exist_and_what_is_not_allowed_have_pages(visitor: Visitor) -> None:
    for path, code in (("/nowhere", 404), ("/static/nowhere", 404), ("/account/x", 404)):
        assert (await visitor.get(path)).status_code == code
        assert visitor.marks.errors == ["404"]
    response = await visitor.client.get("/sign-out")
    assert response.status_code == 405


async def test_a_name_that_no_file_can_have_is_a_file_that_is_not_there(visitor: Visitor) -> None:
    for path in ("x" * 256, "%C3%A9" * 300, "x/" * 3_000, "..%2f" * 100, "%00"):
        assert (await visitor.get(f"/static/{path}")).status_code == 404, path


async def test_a_fault_shows_a_page_without_its_traceback(app: Quart) -> None:
    @app.get("/broken")
    @public
    async def broken() -> str:
        raise ValueError("secret detail")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    visitor = Visitor(app)
    response = await visitor.get("/broken")

    assert response.status_code == 500
    assert visitor.marks.errors == ["500"]
    assert "secret detail" not in visitor.text


async def test_a_view_without_a_word_about_access_answers_nobody(app: Quart, owner: Visitor) -> None:
    @app.get("/forgotten")
    async def forgotten() -> str:
        return "open"

    app.config["PROPAGATE_EXCEPTIONS"] = False

    assert (await owner.get("/forgotten")).status_code == 500
    assert "open to" not in owner.text


async def test_an_account_that_is_not_the_owner_gets_403(app: Quart, alice: Visitor, owner: Visitor) -> None:
    @app.get("/workshop")
    @owner_only
    async def workshop() -> str:
        return "tools"

    assert (await alice.get("/workshop")).status_code == 403
    assert (await owner.get("/workshop")).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "1.1.1.1", "9.9.9.9"),
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 2.2.2.2", "1.1.1.1"),
        (2, "1.1.1.1", "1.1.1.1"),
        (1, "nonsense", "9.9.9.9"),
        (1, None, "9.9.9.9"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:1.1.1.1", "1.1.1.1"),
    ],
)
async def test_the_client_is_the_nearest_address_that_our_proxies_vouch_for(
    settings: Settings, proxies: int, forwarded: str | None, expected: str
) -> None:
    app = create_app(replace(settings, trusted_proxies=proxies))

    @app.get("/whoami")
    @public
    async def whoami() -> Response:
        assert site().trusted_proxies == proxies
        return Response(client_address(), content_type="text/plain")

    async with app.test_app():
        headers = {"Remote-Addr": "6.6.6.6"} | ({"X-Forwarded-For": forwarded} if forwarded else {})
        response = await app.test_client().get("/whoami", headers=headers, scope_base={"client": ("9.9.9.9", 1)})
        assert await response.get_data(as_text=True) == expected
