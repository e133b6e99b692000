"""Wherever the monitor is mounted, and whoever takes the prefix away: pages are found, and all addresses lead back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest

from jobs import Viewer, monitor_app
from tests.app.visitor import TOKEN
from tests.jobs.monitor_site.compiled import compiled

Scope = dict[str, Any]
PREFIXES = ("", "/jobs", "/a/b", "/ä b/queue")
"""One is the name of a page, one ends as the beginning of one."""
HEADINGS = {"/": "Overview", "/jobs": "Jobs", "/queues": "Queues", "/nothing/here": "Not found"}
ADDRESS = re.compile(r'(?:href|src|action)="([^"#]+)"')


def left_in_the_path(scope: Scope, prefix: str) -> Scope:
    """As ASGI says, and as Starlette and FastAPI mount."""
    return {"root_path": prefix}


def taken_away(scope: Scope, prefix: str) -> Scope:
    """By a proxy, before a server with `--root-path` that does not put it back: it never sees the whole path."""
    rest = scope["path"].removeprefix(prefix) or "/"
    return {"root_path": prefix, "path": rest, "raw_path": quote(rest).encode()}


def taken_away_but_for_the_raw_path(scope: Scope, prefix: str) -> Scope:
    """As Starlette did before 0.33."""
    return {"root_path": prefix, "path": scope["path"].removeprefix(prefix) or "/"}


def taken_away_without_a_raw_path(scope: Scope, prefix: str) -> Scope:
    """ASGI has it as an option."""
    return taken_away(scope, prefix) | {"raw_path": None}


def half_taken_away(scope: Scope, prefix: str) -> Scope:
    """By a proxy, before an application that mounts the monitor at the rest of it."""
    first = prefix[: prefix.rfind("/")]
    rest = scope["path"].removeprefix(first)
    return {"root_path": prefix, "path": rest, "raw_path": quote(rest).encode()}


def named_by_nobody(scope: Scope, prefix: str) -> Scope:
    """As Litestar mounts, which adds a slash, too: `monitor_app(prefix=)` says it."""
    rest = scope["path"].removeprefix(prefix)
    return {"root_path": "", "path": rest if rest.endswith("/") else f"{rest}/"}


Host = Callable[[Scope, str], Scope]
HOSTS: list[Host] = [
    left_in_the_path,
    taken_away,
    taken_away_but_for_the_raw_path,
    taken_away_without_a_raw_path,
    half_taken_away,
    named_by_nobody,
]


def browser(redis_url: str, prefix: str, host: Host) -> httpx.AsyncClient:
    """Of somebody who sees the site by https, at another name than the application does."""
    app = monitor_app(
        redis_url, viewer=lambda request: Viewer("ann", can_act=True), prefix=prefix if host is named_by_nobody else ""
    )

    async def mounted(scope: Scope, receive: Any, send: Any) -> None:
        await compiled(app)({**scope, "scheme": "http", **host(scope, prefix)}, receive, send)

    transport = httpx.ASGITransport(app=mounted)
    return httpx.AsyncClient(transport=transport, base_url=f"https://example.org{quote(prefix)}")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.__name__)
async def test_every_page_is_found_and_all_that_it_leads_to(redis_url: str, prefix: str, host: Host) -> None:
    async with browser(redis_url, prefix, host) as client:
        seen = set[str]()
        for page, heading in HEADINGS.items():
            answer = await client.get(page)
            assert f">{heading}</h1>" in answer.text, page
            seen.update(ADDRESS.findall(answer.text))
        for address in seen:
            assert unquote(address).startswith(f"{prefix}/"), address
            if prefix == "/jobs" and "?" not in address:  # the hardest
                assert (await client.get(f"https://example.org{address}")).status_code in (200, 405), address
    assert f"{quote(prefix)}/static/monitor.css" in seen


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.__name__)
async def test_forms_redirects_and_the_cookie_are_right_there(redis_url: str, prefix: str, host: Host) -> None:
    """A redirect names no host and no scheme: the application may know neither."""
    path = quote(prefix)
    async with browser(redis_url, prefix, host) as client:
        page = await client.get("/queues")
        [cookie] = page.headers.get_list("Set-Cookie")
        assert f"Path={path or '/'};" in f"{cookie};"
        form = {"csrf_token": TOKEN.findall(page.text)[0], "name": "mail"}

        paused = await client.post("/queue/pause", data=form, headers={"Origin": "https://example.org"})
        doubled = await client.get(f"https://example.org{path}/queue//purge?name=x")

    assert (paused.status_code, paused.headers["Location"]) == (303, f"{path}/queues")
    assert (doubled.status_code, doubled.headers["Location"]) == (308, f"{path}/queue/purge?name=x")


async def test_the_prefix_alone_is_the_first_page_and_the_page_of_that_name_stays_in_reach(redis_url: str) -> None:
    async with browser(redis_url, "/jobs", left_in_the_path) as client:
        assert "<title>Overview" in (await client.get("https://example.org/jobs")).text
    async with browser(redis_url, "/jobs", taken_away) as client:
        assert (await client.get("/static/monitor.css")).status_code == 200
        assert "<title>0 jobs" in (await client.get("/jobs")).text
