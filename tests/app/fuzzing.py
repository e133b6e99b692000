"""Random requests for every route of the site, sent to the running web process: whatever it is sent, it answers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from urllib.parse import quote, urlencode

from app import create_app
from tests.app.routes import Route, furnish, has_fault, inbox_key
from tests.app.visitor import Visitor
from tests.app.web_server import Server, status
from tests.site import TOKEN

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
FIELDS = (
    *("account_id", "answer", "before", "csrf_token", "do", "email", "id", "in", "is_owner", "name", "page", "q"),
    *("rate", "scheduled", "state", "task", "text", "timezone", "title", "to", "typed", "when", "worker"),
)  # fmt: skip
WORDS = (
    *("", "0", "1", "-1", "9" * 30, "1m", "10s", "on", "publish", "../..", "\0", "' OR 1=1 --", "{{7*7}}"),
    *("<script>", "\u202e", "é" * 300, "👩‍👩‍👧", "2026-03-29T02:30", "0001-01-01T00:00", "9999-12-31T23:59"),
    *("a@b.org", "a@\u2028b.org", "UTC", "\ufffd", "x\r\nSet-Cookie: a=b", "default", "SUCCESS", "bench.nap"),
)  # fmt: skip
HEADERS = (
    *("Accept", "Accept-Encoding", "Authorization", "Content-Encoding", "Cookie", "Host", "If-Modified-Since"),
    *("If-None-Match", "Origin", "Range", "Referer", "Sec-Fetch-Site", "Upgrade", "X-CSRF-Token"),
)  # fmt: skip
VALUES = ("*/*", "text/event-stream", "bytes=0-", "bytes=9-1,-0", "gzip", "h2c", "Bearer x", "null", "none", '"x"')
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
TYPES = (FORM, MULTIPART, "multipart/form-data", "application/json", "text/plain; charset=utf-16", "a/b")
AT_ONCE = 4
"""Requests that are under way at the same time."""


@dataclass(frozen=True)
class Person:
    """Somebody's browser: what it sends with every request. Both are empty for a stranger."""

    cookie: str = ""
    token: str = ""


@dataclass
class Outcome:
    """What a family of routes has answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Requests that no answer came to, or one that is a fault or tells what nobody should read."""

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.statuses + other.statuses, self.waits + other.waits, self.faults + other.faults)


async def families(server: Server) -> Mapping[str, Sequence[Route]]:
    """Every route, with something real behind it, by the feature that it belongs to."""
    app = create_app(server.site.settings)
    async with app.test_app():
        await Visitor(app).sign_in("alice@example.org")
        routes = await furnish(app)
    grouped = defaultdict(list)
    for route in routes:
        grouped[route.feature].append(route)
    style = Route("GET", "/static/site.css", "public", False, False, "static")
    return {**grouped, "static": [style]}


async def people(server: Server) -> list[Person]:
    """The owner, Alice, and somebody who has not signed in; the first two have the key of the inbox."""
    found, key = [Person()], inbox_key(server.site.settings)
    for email in ("alice@example.org", server.site.settings.owner_email):
        async with server.site.browser(email) as browser:
            token = TOKEN.search((await browser.get("/account")).text)
            assert token is not None
            cookies = {f"inbox-{server.site.settings.port}": key} | dict(browser.cookies)
            cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
            found.append(Person(cookie, token[1]))
    return found


async def batter(
    server: Server, routes: Sequence[Route], people: Sequence[Person], count: int, random: Random
) -> Outcome:
    """So many random requests for these routes."""
    outcome = Outcome()

    async def lane(count: int, random: Random) -> None:
        for _ in range(count):
            person, route = random.choice(people), some_route(routes, random)
            if route.signs:
                person = Person()  # a browser that signs out sees nothing afterwards
            await ask(server, route.path, some_request(route, person, random), outcome)

    await asyncio.gather(*(lane(count // AT_ONCE, Random(random.random())) for _ in range(AT_ONCE)))
    return outcome


async def ask(server: Server, path: str, request: bytes, outcome: Outcome) -> None:
    began = time.perf_counter()
    answer = await server.send(request, patience_s=30)
    outcome.waits.append(time.perf_counter() - began)
    outcome.statuses[status(answer)] += 1
    secret = server.site.settings.secret_key.encode()
    if has_fault(path, status(answer) or 599) or b"Traceback" in answer or secret in answer:
        outcome.faults.append(f"{request!r} -> {answer[:300]!r}")


def some_route(routes: Sequence[Route], random: Random) -> Route:
    """One of them as it is, with another method, or with a part of its path replaced."""
    route = random.choice(routes)
    if random.random() < 0.2:
        route = replace(route, method=random.choice(METHODS))
    if random.random() < 0.3:
        parts = route.path.split("/")
        parts[random.randrange(len(parts))] = some_part(random)
        route = replace(route, path="/" + "/".join(parts).lstrip("/"))
    return route


def some_part(random: Random) -> str:
    if random.random() < 0.5:
        return quote(random.choice(WORDS), safe="")
    return "".join(chr(random.randrange(33, 127)) for _ in range(9)).replace("?", "").replace("#", "")


def some_fields(random: Random) -> dict[str, str]:
    return {random.choice(FIELDS): random.choice(WORDS) for _ in range(random.randrange(5))}


def some_request(route: Route, person: Person, random: Random) -> bytes:
    head = {"Host": "127.0.0.1", "Connection": "close", "Cookie": person.cookie}
    if random.random() < 0.5:
        head["X-Forwarded-For"] = f"10.{random.randrange(256)}.{random.randrange(256)}.1"
    if random.random() < 0.3:
        value = "".join(chr(random.randrange(32, 127)) for _ in range(40)).strip()
        head[random.choice(HEADERS)] = random.choice((*VALUES, value))
    body = b""
    if route.method not in ("GET", "HEAD"):
        head["Content-Type"], body = some_body(person, random)
        if random.random() < 0.1:
            head["Transfer-Encoding"], body = "chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            head["Content-Length"] = str(len(body))
    query = f"?{urlencode(some_fields(random))}" if random.random() < 0.5 else ""
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
    return f"{route.method} {route.path}{query} HTTP/1.1\r\n{lines}\r\n".encode() + body


def some_body(person: Person, random: Random) -> tuple[str, bytes]:
    """Its type, and mostly a form that this person's browser could have sent."""
    form = {"csrf_token": person.token} | some_fields(random)
    kind = random.random()
    if kind < 0.7:
        return FORM, urlencode(form).encode()
    if kind < 0.8:
        part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        return MULTIPART, ("".join(part.format(*pair) for pair in form.items()) + "--b--\r\n").encode()
    return random.choice(TYPES), random.randbytes(random.randrange(1, 200))
