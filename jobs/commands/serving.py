"""`worker` and `monitor`, which serve until Ctrl-C: worker processes, started again if they die; and the pages."""

import asyncio
from importlib import import_module

import click

from .frame import Target, errors_as_sentences


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
