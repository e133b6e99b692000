"""`schedules`: what is due by itself, and when."""

from __future__ import annotations

from dataclasses import asdict

import click

from .. import monitor
from ..values.short_text import count, time_text
from .frame import Answer, Context, command_body


@click.command("schedules")
@command_body
async def schedules_command(context: Context) -> Answer:
    """Every schedule that workers have: when it is due, its last and its next run."""
    found = await monitor.schedules(context.redis)
    return Answer(
        [asdict(info) for info in found], [_line(info) for info in found], [f"{count(len(found), 'schedule')}."]
    )


def _line(info: monitor.ScheduleInfo) -> str:
    last = f"last {time_text(info.last_run)}" if info.last_run else "never run"
    coming = "paused" if info.paused else f"next {time_text(info.next_run)}" if info.next_run else "no next run"
    gone = f"  no worker has it{f' since {time_text(info.seen)}' if info.seen else ''}" if info.gone else ""
    return f"{info.name}  {info.task}  {info.when}  {last}  {coming}{gone}"
