"""Live pages: a page's own address, asked for as an event stream, sends its live part anew each time that it changed.

All who watch share one look: one task of the process goes round the watched pages, at most once a second, and only
while somebody watches. It rests so long that looking takes at most LOAD of the time, so a page that is dear to draw
comes less often. Each part is rendered once, whoever waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context
from typing import Any, cast

from quart import (
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

from app.web.template_words import reader_zone

EVERY_S = 1.0
LOAD = 0.08
PATIENCE_S = 5
"""A look that takes longer says that Redis does not answer."""
HEARTBEAT_S = 10
"""So often a stream shows that it lives, and whoever watches has to be allowed to, still."""
MOST_STREAMS = 200
MOST_PAGES = 50
"""Different pages (addresses with their filters) that are watched at once."""

Look = Callable[[], Awaitable[Mapping[str, Any]]]
logger = logging.getLogger(__name__)


async def page(template: str, look: Look) -> ResponseReturnValue:
    """The page of what *look* finds; or the stream of its block `live`, if the browser asks for one."""
    if request.method == "GET" and request.headers.get("Accept", "").startswith("text/event-stream"):
        return await _stream(template, look)
    words = await look()
    return await render_template(template, layout="monitor/layout.html", zone=reader_zone().key, **words)


class Watched:
    """One page that somebody watches. `event` is what its viewers were sent last."""

    def __init__(self, render: Callable[[], Awaitable[str]]) -> None:
        self._render = render
        self.viewers = 0
        self.event = b""
        self._news = asyncio.Event()

    async def look(self) -> None:
        """Render it, and tell the viewers if it is not what it was."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                self.tell(_event("part", await self._render()))
        except HTTPException:
            self.tell(_event("over", "This page no longer exists."))
        except Exception as error:  # whatever it is, the next look may go well
            if not self.event.startswith(b"event: away"):
                logger.error("a live page cannot be drawn: %r", error)
            self.tell(_event("away", "Redis is not responding. This page shows older data."))

    def tell(self, event: bytes) -> None:
        if event != self.event:
            self.event = event
            self._news.set()
            self._news = asyncio.Event()

    async def news(self) -> None:
        """Wait for the next change."""
        await self._news.wait()


class Live:
    """The watched pages of this process, and the one task that looks at them."""

    def __init__(self, closing: asyncio.Event) -> None:
        self._closing = closing
        self._pages: dict[object, Watched] = {}
        self._looking: asyncio.Task[None] | None = None
        self.turns = 0

    @property
    def streams(self) -> int:
        return sum(watched.viewers for watched in self._pages.values())

    def has_room(self, key: object) -> bool:
        """May one more watch this page?"""
        return self.streams < MOST_STREAMS and (key in self._pages or len(self._pages) < MOST_PAGES)

    def join(self, key: object, render: Callable[[], Awaitable[str]]) -> Watched:
        """Begin to watch."""
        watched = self._pages.setdefault(key, Watched(render))
        watched.viewers += 1
        if self._looking is None:  # without this viewer's context: every page brings its own
            self._looking = asyncio.create_task(self._look_on(), context=Context())
        return watched

    def leave(self, key: object, watched: Watched) -> None:
        """The last one stops the looking."""
        watched.viewers -= 1
        if not watched.viewers:
            del self._pages[key]
        if not self._pages and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    @property
    def closing(self) -> bool:
        return self._closing.is_set()

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
            watched.tell(_event("closing", ""))


def of_this_process() -> Live:
    """The one of the running app."""
    if "live" not in current_app.extensions:
        current_app.extensions["live"] = Live(cast(asyncio.Event, current_app.shutdown_event))
    live: Live = current_app.extensions["live"]
    return live


async def _stream(template: str, look: Look) -> Response:
    @copy_current_app_context
    @copy_current_request_context
    async def render() -> str:
        """Without what other features add to every page: a look asks nothing but Redis."""
        words = {**await look(), "zone": reader_zone().key, "layout": "monitor/part.html"}
        words["csrf_token"] = lambda: ""  # one part for all browsers: each puts its own in
        return await current_app.jinja_env.get_template(template).render_async(words)

    live = of_this_process()
    key = (template, request.full_path, reader_zone())
    if not live.has_room(key):
        abort(503, "Too many live pages are open. Close some, or reload this page manually.")
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    response: Any = await make_response(stream_with_context(_events)(live, key, render), headers)
    response.timeout = None
    return response  # type: ignore[no-any-return]


async def _events(
    live: Live, key: object, render: Callable[[], Awaitable[str]]
) -> AsyncGenerator[bytes, None]:
    """What one viewer is sent. A slow one skips what has changed again meanwhile."""
    watched, sent, checked = live.join(key, render), b"", time.monotonic()
    try:
        yield b"retry: 3000\n\n"
        while not live.closing:
            if time.monotonic() - checked >= HEARTBEAT_S:
                if await _is_refused():
                    yield _event("over", "You are signed out. This page is no longer updated.")
                    return
                checked = time.monotonic()
                yield b": still here\n\n"
            if watched.event == sent:
                with suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_S):
                        await watched.news()
            else:
                sent = watched.event
                yield sent
    finally:
        live.leave(key, watched)


async def _is_refused() -> bool:
    """Ask again what was asked before the page was shown: a sign-out ends the streams, too.

    Where nobody can tell, the error ends the stream, and the browser comes again.
    """
    try:
        return await current_app.preprocess_request() is not None
    except HTTPException:
        return True


def _event(name: str, text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()
