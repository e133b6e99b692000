"""The settings and the Redis connection of the running app, and the context of tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from quart import Quart, current_app

from jobs import JobsRedis, connect
from settings import Settings

PATIENCE_S, ANSWER_S = 0.6, 1.3
"""How long a page retries while Redis is away, and how long it waits for one answer. Together less than 3 s."""


def site() -> Settings:
    """The settings of the running app. Needs an app context."""
    settings: Settings = current_app.extensions["settings"]
    return settings


def redis() -> JobsRedis:
    """The Redis connection of the running web process, which `.delay()` uses too."""
    connection: JobsRedis = current_app.extensions["redis"]
    return connection


@asynccontextmanager
async def connected(app: Quart) -> AsyncIterator[None]:
    """Open the Redis connection of a web process for the block. It gives up sooner than a worker's: a user waits."""
    async with connect(app.extensions["settings"].redis_url, answer_s=ANSWER_S) as connection:
        connection.patience_s = PATIENCE_S
        app.extensions["redis"] = connection
        yield


async def close(app: Quart) -> None:
    """Close the connections of the app. Call it at the end of the web process, and in the worker's `on_shutdown`."""
    await app.extensions["rate_limits"].close()
    await app.extensions["database"].close()


def task_context(app: Quart) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The worker's `around=`: runs each task in the app's context, where `url_for()` begins with BASE_URL.

    For the worker's app only: it sets SERVER_NAME, with which a web process would answer no other Host.
    """
    base = urlsplit(app.extensions["settings"].base_url)
    app.config["SERVER_NAME"] = base.netloc
    app.config["PREFER_SECURE_URLS"] = base.scheme == "https"

    @asynccontextmanager
    async def around(job: Any) -> AsyncIterator[None]:
        async with app.app_context():
            yield

    return around
