"""Live pages: the address of a page, requested as an event stream, sends the live part of the page at each change.

All viewers share one task of the event loop, which renders each watched page at most once a second, and only while it
has viewers. The task sleeps enough to spend at most LOAD of the time on rendering, so expensive pages update less
often. It renders each part once for all its viewers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context
from typing import Any
from weakref import WeakKeyDictionary

from quart import (
    Quart,
    Response,
    abort,
    copy_current_app_context,
    copy_current_request_context,
    current_app,
    make_response,
    render_template,
    request,
    stream_with_context,
)
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from . import shell
from .viewers import reader_zone, this_viewer

EVERY_S = 1.0
LOAD = 0.08
PATIENCE_S = 5
"""Seconds. If reading the data takes longer, the page shows that Redis does not respond."""
HEARTBEAT_S = 10
"""Seconds between heartbeats. Each one checks the viewer's permission again."""
MOST_STREAMS = 200
MOST_PAGES = 50
"""Different pages (addresses with filters) that are watched at once."""

Look = Callable[[], Awaitable[Mapping[str, Any]]]
logger = logging.getLogger("jobs.monitor_site")


def is_stream() -> bool:
    """Whether this request watches a page that is there already."""
    return request.method == "GET" and request.headers.get("Accept", "").startswith("text/event-stream")


async def page(template: str, look: Look) -> ResponseReturnValue:
    """The page with the results of *look*, or the stream of its block `live` for a request for an event stream."""
    if is_stream():
        return await _stream(template, look)
    now = await shell.reading(0)
    words = {"figures": now.figures, "names": await shell.names(now), **await look()}
    return await render_template(template, layout="monitor/layout.html", **words)


class Watched:
    """One watched page. `events` are the last ones for its viewers: what the side says, and the page."""

    def __init__(self, render: Callable[[], Awaitable[tuple[str, str]]]) -> None:
        self._render = render
        self.viewers = 0
        self.events = (b"", b"")
        self._news = asyncio.Event()

    async def look(self) -> None:
        """Render the page, and send it to the viewers if it has changed."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                figures, part = await self._render()
                self.publish(_event("part", part), _event("figures", figures))
        except HTTPException:
            self.publish(_event("over", "This page no longer exists."))
        except Exception as error:  # the next look may succeed after any fault
            if not self.events[1].startswith(b"event: away"):
                logger.error("cannot render a live page: %r", error)
            self.publish(_event("away", "Redis is not responding. This page shows older data."))

    def publish(self, event: bytes, figures: bytes = b"") -> None:
        events = (figures or self.events[0], event)
        if events != self.events:
            self.events = events
            self._news.set()
            self._news = asyncio.Event()

    async def news(self) -> None:
        """Wait for the next change."""
        await self._news.wait()


class Live:
    """The watched pages of an event loop, and the one task that renders them."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._pages: dict[object, Watched] = {}
        self._looking: asyncio.Task[None] | None = None
        self.turns = 0

    @property
    def streams(self) -> int:
        return sum(watched.viewers for watched in self._pages.values())

    def has_room(self, key: object) -> bool:
        """Whether the page may have one more viewer."""
        return self.streams < MOST_STREAMS and (key in self._pages or len(self._pages) < MOST_PAGES)

    def join(self, key: object, render: Callable[[], Awaitable[tuple[str, str]]]) -> Watched:
        """Add a viewer."""
        watched = self._pages.setdefault(key, Watched(render))
        watched.viewers += 1
        if self._looking is None:  # without this viewer's context: each page has its own
            self._looking = asyncio.create_task(self._look_on(), context=Context())
        return watched

    def leave(self, key: object, watched: Watched) -> None:
        """Remove a viewer. The last one stops the task."""
        watched.viewers -= 1
        if not watched.viewers:
            del self._pages[key]
        if not self._pages and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def end(self) -> None:
        """End all streams, and every later one at once."""
        self._closing.set()

    @property
    def closing(self) -> bool:
        return self._closing.is_set() or _server_stops()

    async def _look_on(self) -> None:
        while asyncio.current_task() is self._looking and not self.closing:
            began = time.perf_counter()
            for watched in list(self._pages.values()):
                await watched.look()
            self.turns += 1
            spent = time.perf_counter() - began
            with suppress(TimeoutError):
                async with asyncio.timeout(max(EVERY_S, spent / LOAD - spent)):
                    await self._closing.wait()
        for watched in self._pages.values() if self.closing else ():
            watched.publish(_event("closing", ""))


def _server_stops() -> bool:
    """Whether uvicorn, or gunicorn, is to stop: applications hear of it only after the last response has ended."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True or getattr(server, "alive", True) is False


def of_this_loop(app: Quart) -> Live:
    """The `Live` of *app* in the running event loop."""
    lives: WeakKeyDictionary[object, Live] = app.extensions.setdefault("live", WeakKeyDictionary())
    loop = asyncio.get_running_loop()
    if loop not in lives:
        lives[loop] = Live()
    return lives[loop]


async def _stream(template: str, look: Look) -> Response:
    can_act = this_viewer().can_act

    @copy_current_app_context
    @copy_current_request_context
    async def render() -> tuple[str, str]:
        """Render without the context processors of other features, so that a look reads only Redis."""
        figures = json.dumps({name: vars(one) for name, one in (await shell.reading()).figures.items()})
        words = {**await look(), "zone": reader_zone().key, "layout": "monitor/part.html", "can_act": can_act}
        words["csrf_token"] = lambda: ""  # all browsers get the same part, and each adds its own
        return figures, await current_app.jinja_env.get_template(template).render_async(words)

    live = of_this_loop(current_app)
    key = (template, request.root_path, request.full_path, reader_zone(), can_act)
    if not live.has_room(key):
        abort(503, "Too many live pages are open. Close some, or reload this page manually.")
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    response: Any = await make_response(stream_with_context(_events)(live, key, render), headers)
    response.timeout = None
    return response  # type: ignore[no-any-return]


async def _events(
    live: Live, key: object, render: Callable[[], Awaitable[tuple[str, str]]]
) -> AsyncGenerator[bytes, None]:
    """The events for one viewer. A slow viewer skips outdated ones."""
    watched, sent, checked = live.join(key, render), (b"", b""), time.monotonic()
    try:
        yield b"retry: 3000\n\n"
        while not live.closing:
            if time.monotonic() - checked >= HEARTBEAT_S:
                if await _is_refused():
                    yield _event("over", "You may no longer see this page. It is no longer updated.")
                    return
                checked = time.monotonic()
                yield b": still here\n\n"
            if watched.events == sent:
                with suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_S):
                        await watched.news()
            else:
                before, sent = sent, watched.events
                yield b"".join(event for event, old in zip(sent, before, strict=True) if event != old)
    finally:
        live.leave(key, watched)


async def _is_refused() -> bool:
    """Repeat the checks of the first request, so that the stream of one who may no longer look ends.

    If a check fails, its error ends the stream, and the browser reconnects.
    """
    try:
        return await current_app.preprocess_request() is not None
    except HTTPException:
        return True


def _event(name: str, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()
