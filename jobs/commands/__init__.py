"""The commands of `python -m jobs`: one file each, all of them asked and answered the same way (see frame)."""

from __future__ import annotations

import sys

import click

from jobs.commands import (
    call,
    control,
    events,
    inspect,
    purge,
    result,
    retry,
    schedules,
    status,
    why,
    workflows,
)
from jobs.commands.frame import UNAVAILABLE, USAGE, Target, Unavailable


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "-A",
    "--app",
    metavar="MODULE.ATTR",
    help="Worker settings: URL, queues and tasks. [worker.WorkerSettings]",
)
@click.option("--redis-url", metavar="URL", help="The Redis to look into; without -A nothing is imported.")
@click.pass_context
def commands(context: click.Context, app: str | None, redis_url: str | None) -> None:
    """See what workers do, and tell them what to do."""
    context.obj = Target(app, redis_url)


for family in (status, inspect, result, why, call, purge, control, retry, schedules, workflows, events):
    commands.add_command(family.command)


def main(words: list[str] | None = None) -> None:
    """Run one command, and end the process: 0 as asked, 1 not so, 64 wrong usage, 69 nobody answers."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        code = commands.main(words, prog_name="python -m jobs", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        code = USAGE
    except Unavailable as error:
        error.show()
        code = UNAVAILABLE
    except click.ClickException as error:
        error.show()
        code = 1
    except click.Abort:
        click.echo("Aborted: nothing was changed.", err=True)
        code = 1
    sys.exit(code)
