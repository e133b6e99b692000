"""Events, as they happen. Scripts publish them only while somebody listens."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module

from ...client.connection import JobsRedis


@dataclass(frozen=True)
class Event:
    """One thing that happened. `kind` job: `id` came to `state`. `kind` worker: `id` is online or offline (`state`)."""

    at: datetime
    kind: str
    id: str
    state: str
    task: str = ""
    queue: str = ""
    worker: str = ""


async def events(connection: JobsRedis) -> AsyncGenerator[Event, None]:
    """Jobs that come to a state, and workers that come and go, from now on and until the caller stops: docs/events.md.

    Workers that are online already come at once. While Redis is away it waits, and misses what happens; a listener
    that is too slow misses events, too. QueueUnavailable where Redis does not let this user listen.
    """
    listening = import_module("...contrib.event_listening", __package__)
    async with aclosing(listening.heard_on(connection)) as heard:
        async for event in heard:
            yield event
