"""`worker`: runs several worker processes, and starts one again that dies."""

import asyncio
from importlib import import_module

import click

from .frame import Target


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
