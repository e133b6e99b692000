"""Every header and every part of a form that our own code reads: whatever it holds, no answer is a fault."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from quart import Quart

from app import create_app
from settings import Settings
from tests.app.routes import furnish, has_fault
from tests.app.visitor import Visitor

READ = (
    *("Accept", "Authorization", "Content-Length", "Content-Type", "Cookie", "Forwarded", "Host", "If-Modified-Since"),
    *("If-None-Match", "Last-Event-ID", "Origin", "Range", "Referer", "Sec-Fetch-Site", "X-CSRF-Token"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
)  # fmt: skip
"""Headers that our code or Quart looks at."""
HOSTILE = (
    *("", "http://[", "http://[::1", "http://]", "http://a:b", "http://a:99999999", "//", "null", "\x7f", "é" * 9),
    *("bytes=-", "bytes=9-1", "bytes=0-,0-", "bytes=" + "9" * 5_000, "Bearer", "Bearer \xff", "=", ";;;", ",,,"),
    *("127..0.1", "%", "9" * 5_000, "-1", "text/html;q=x", 'W/"', "multipart/form-data", "a/b;charset=\x00"),
    *("multipart/form-data; boundary=", "multipart/form-data; boundary=é", "application/json", "::ffff:1.1.1.1%lo"),
)  # fmt: skip
PART = b'Content-Disposition: form-data; name="email"'


def form_of(*parts: bytes, boundary: bytes = b"b") -> bytes:
    """A multipart body: each part is its head and a value."""
    return b"".join(b"--%s\r\n%s\r\n\r\nx\r\n" % (boundary, part) for part in parts) + b"--%s--\r\n" % boundary


async def post(app: Quart, body: bytes, kind: str) -> int:
    answer = await app.test_client().post("/sign-in", data=body, headers={"Content-Type": kind})
    return answer.status_code


@pytest.fixture
async def behind_a_proxy(settings: Settings) -> Quart:
    app = create_app(replace(settings, trusted_proxies=1))
    app.config["PROPAGATE_EXCEPTIONS"] = False  # what a visitor would see
    return app


@pytest.mark.parametrize("name", READ)
async def test_a_header_of_any_value_is_no_fault(behind_a_proxy: Quart, name: str) -> None:
    async with behind_a_proxy.test_app():
        client = behind_a_proxy.test_client()
        for value in HOSTILE:
            for method, path in (("GET", "/"), ("GET", "/metrics"), ("GET", "/static/site.css"), ("POST", "/sign-in")):
                answer = await client.open(path, method=method, headers={name: value})
                assert not has_fault(path, answer.status_code), (method, path, value)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://]x", "http://evil.example", "null", "é", "//"])
async def test_an_origin_that_is_not_this_site_is_refused(alice: Visitor, origin: str) -> None:
    await alice.get("/account")
    form = {"csrf_token": alice.token(), "timezone": "UTC"}

    answer = await alice.client.post("/account", form=form, headers={"Origin": origin})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "part",
    [
        b"Content-Disposition: form-data",
        b"Content-Disposition: form-data; filename=x",
        b"Content-Disposition:",
        b'Content-Disposition: form-data; name="\x00"',
    ],
)
async def test_a_part_without_a_name_is_refused(app: Quart, part: bytes) -> None:
    assert await post(app, form_of(PART, part), "multipart/form-data; boundary=b") == 400


async def test_a_boundary_over_70_characters_is_refused_unread(app: Quart) -> None:
    assert await post(app, form_of(PART, boundary=b"b" * 70), f"multipart/form-data; boundary={'b' * 70}") == 403
    for length in (71, 1_000, 60_000):
        begun = time.process_time()
        status = await post(app, b"\r\n--" + b"b" * 250_000, f"multipart/form-data; boundary={'b' * length}")
        assert status == 400
        assert time.process_time() - begun < 1


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    heads=st.lists(
        st.one_of(st.binary(max_size=60), st.sampled_from([PART, b"X: y", b"Content-Type: text/plain; charset=x"])),
        max_size=4,
    ),
    boundary=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80),
)
async def test_a_form_of_any_parts_is_no_fault(app: Quart, heads: list[bytes], boundary: str) -> None:
    body = form_of(*heads, boundary=boundary.encode(errors="replace"))

    assert await post(app, body, f"multipart/form-data; boundary={boundary}") in (400, 403, 413)


async def test_every_redirect_stays_on_this_site(
    app: Quart, settings: Settings, alice: Visitor, owner: Visitor
) -> None:
    """Behind a proxy that speaks https the web process sees http, and a Host with whatever port somebody sends."""
    routes = sorted(await furnish(app), key=lambda route: route.signs)
    await owner.get("/account")
    session = next(cookie.value for cookie in owner.client.cookie_jar or () if cookie.name == "session")
    sent = {"Host": "example.org:1337", "X-CSRF-Token": owner.token()}
    https = create_app(replace(settings, base_url="https://example.org", smtp_server="mail.example.org",
                               smtp_from="site@example.org"))  # fmt: skip
    redirects = 0
    async with https.test_app():
        for cookies in ({"Cookie": f"__Host-session={session}"}, {}):
            for route in routes:
                for path in {route.path, route.path.rstrip("/") or "/", route.path.rstrip("/") + "/"}:
                    client = https.test_client(use_cookies=False)
                    answer = await client.open(path, method=route.method, headers=sent | cookies)
                    location = answer.headers.get("Location", "/")
                    assert location.startswith("/") or urlsplit(location)[:2] == ("https", "example.org"), path
                    assert not location.startswith("//"), path
                    redirects += 300 <= answer.status_code < 400
    assert redirects > 50
