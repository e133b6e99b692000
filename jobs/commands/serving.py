"""`events`, `worker` and `monitor`, until Ctrl-C: what happens, as it happens; worker processes, started again if they
die; and the pages."""

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import asdict
from importlib import import_module

import click

from ..monitor import events
from ..values.untrusted_text import printable_json
from .frame import Context, Target, command_body, errors_as_sentences


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


@click.command("worker")
@click.argument("settings", metavar="MODULE.WorkerSettings")
@click.option("--processes", type=click.IntRange(1, 1_000), default=1, show_default=True, help="How many to run.")
@click.pass_obj
def worker_command(target: Target, settings: str, processes: int) -> int:
    """Run worker processes, each as `arq MODULE.WorkerSettings` does.

    One that dies is started again, after a second or, if it keeps dying, up to 30. After max_jobs_total or
    max_memory it is started again at once. One that somebody ends, by SIGTERM or `control shutdown`, stays away.

    SIGTERM or Ctrl-C ends all; a second one ends them without waiting for their jobs. With health="HOST:PORT" the
    ports are PORT, PORT + 1 and so on.
    """
    if target.app is not None or target.is_typed:
        raise click.UsageError("worker takes no -A and no --redis-url: name the settings, which have the address")
    supervisor = import_module("..contrib.supervisor", __package__).Supervisor(settings)
    return asyncio.run(supervisor.run(processes))  # type: ignore[no-any-return]


@click.command("monitor")
@click.option("--port", type=click.IntRange(1, 65_535), default=8001, show_default=True, help="Where it listens.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="127.0.0.1 is this machine only."
)
@click.option("--trace-url", envvar="TRACE_URL", default="", metavar="URL", help="Jobs link to it, with {trace_id}.")
@click.pass_obj
def monitor_command(target: Target, port: int, host: str, trace_url: str) -> int:
    """Serve the monitor's pages until Ctrl-C, and print the link that opens them, once.

    It needs more packages: pip install 'quarq-jobs[monitor]'
    """
    with errors_as_sentences():
        redis, _ = target.open()
        try:
            from ..monitor_site import alone
        except ModuleNotFoundError as error:
            raise click.ClickException(f"{error}: pip install 'quarq-jobs[monitor]'") from error
        asyncio.run(alone.serve(redis, host, port, trace_url))
    return 0
