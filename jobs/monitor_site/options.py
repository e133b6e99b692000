"""What the application that mounts the monitor has said about it, and the Redis that its pages read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quart import Quart, current_app

from ..client.connection import JobsRedis


@dataclass(frozen=True)
class Options:
    """The arguments of `monitor_app()`."""

    redis: JobsRedis
    title: str = "Jobs"
    home: str = ""
    trace_url: str = ""
    questions: Mapping[str, str] = field(default_factory=dict)


def prepare(app: Quart, options: Options) -> None:
    """Keep them, and give every template the title and the way back."""
    app.extensions["options"] = options
    app.context_processor(lambda: {"monitor_title": options.title, "home": options.home})


def given() -> Options:
    """Those of the running application."""
    found: Options = current_app.extensions["options"]
    return found


def redis() -> JobsRedis:
    """The connection of the pages. It connects at the first command, and each event loop has sockets of its own."""
    return given().redis
