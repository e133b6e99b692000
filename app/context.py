"""What code reaches through the running app: its settings, and the context that tasks run in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from quart import Quart, current_app

from jobs import JobsRedis, connect
from settings import Settings

PATIENCE_S, ANSWER_S = 0.6, 1.3
"""How long a page tries again while Redis is away, and waits for one answer: together less than 3 s."""


def site() -> Settings:
    """The settings of the running app; needs an app context."""
    settings: Settings = current_app.extensions["settings"]
    return settings


def redis() -> JobsRedis:
    """The connection of the running web process: the one that `.delay()` uses."""
    connection: JobsRedis = current_app.extensions["redis"]
    return connection


@asynccontextmanager
async def connected(app: Quart) -> AsyncIterator[None]:
    """The connection of a web process, until the block ends. It gives up sooner than a worker's: somebody waits."""
    async with connect(app.extensions["settings"].redis_url, answer_s=ANSWER_S) as connection:
        connection.patience_s = PATIENCE_S
        app.extensions["redis"] = connection
        yield


async def close(app: Quart) -> None:
    """Close what the app holds open: at the end of the web process, and in the worker's `on_shutdown`."""
    await app.extensions["rate_limits"].close()
    await app.extensions["database"].close()


def task_context(app: Quart) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """For the worker's `around=`: tasks run in the app's context, and `url_for()` begins with BASE_URL.

    Only the worker's app may get this: with SERVER_NAME set, the web process would answer no other Host.
    """
    base = urlsplit(app.extensions["settings"].base_url)
    app.config["SERVER_NAME"] = base.netloc
    app.config["PREFER_SECURE_URLS"] = base.scheme == "https"

    @asynccontextmanager
    async def around(job: Any) -> AsyncIterator[None]:
        async with app.app_context():
            yield

    return around
