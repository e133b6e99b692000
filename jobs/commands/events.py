"""`events`: what happens, as it happens."""

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import asdict

import click

from ..monitor import events
from ..values.untrusted_text import printable_json
from .frame import Context, command_body


@click.command("events")
@command_body
async def events_command(context: Context) -> None:
    """What happens from now on, one JSON object a line: jobs that come to a state, workers that come and go.

    Until Ctrl-C, or -t seconds; -d: only what these workers do.
    """
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):  # Ctrl-C cancels, and is no error
        async with asyncio.timeout(context.timeout_s), contextlib.aclosing(events(context.redis)) as happens:
            async for event in happens:
                actor = event.id if event.kind == "worker" else event.worker
                if context.destination and actor not in context.destination:
                    continue
                fields = {name: value for name, value in asdict(event).items() if value != ""}
                line = json.dumps(fields | {"at": event.at.isoformat()}, ensure_ascii=False)
                try:
                    click.echo(printable_json(line))
                except BrokenPipeError:  # `events | head`: nobody reads any more
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                    break
