"""`monitor`: the pages for this Redis, for the browser that opens the link."""

import asyncio

import click

from .frame import Target, errors_as_sentences


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
