"""The worker's part of the application: its tasks, its schedules, their context, and its background loops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from quart import Quart

from app import logs
from app.accounts.tasks import send_sign_in_link
from app.blog.tasks import render_again
from app.context import close, task_context
from app.digest.recovery import keep_recovering
from app.digest.tasks import digest, send, send_batch, send_test, tell_owner
from app.migrations import upgrade
from app.playground.orders.tasks import ask, order, print_label
from app.playground.tasks import log, multiply, total, unreliable
from app.privacy.tasks import erase_old
from app.reminders.arming import keep_armed
from app.reminders.consents.tasks import ask_for_consent
from app.reminders.tasks import remind, tell_missed
from app.subscribers.digest_schedule import weekly
from app.subscribers.tasks import send_confirmation, send_overdue
from jobs import cancel_until_ended, crontab, every
from settings import Settings

TASKS = (
    send_sign_in_link,
    remind,
    tell_missed,
    ask_for_consent,
    digest,
    send,
    send_batch,
    send_test,
    tell_owner,
    send_confirmation,
    send_overdue,
    erase_old,
    render_again,
    log,
    multiply,
    total,
    unreliable,
    order,
    print_label,
    ask,
)

BACKGROUND_LOOPS = (keep_armed, keep_recovering)
"""Loops that every worker runs from its start to its end. Each continues after any fault."""

NICE = 5
"""The niceness of workers, so that pages take precedence on a machine that runs both."""


def worker_options(app: Quart) -> dict[str, Any]:
    """Options for `worker_settings()`. *app* must not serve pages: see `task_context`."""

    async def start(ctx: dict[Any, Any]) -> None:
        settings: Settings = app.extensions["settings"]
        logs.configure(settings.log_level, settings.log_format)  # here, because arq's CLI sets its own first
        await upgrade(settings)
        ctx["loops"] = [asyncio.create_task(_in_context(app, loop)) for loop in BACKGROUND_LOOPS]

    async def stop(ctx: dict[Any, Any]) -> None:
        await cancel_until_ended(ctx.pop("loops", []))
        await close(app)

    hooks = {"around": task_context(app), "on_startup": start, "on_shutdown": stop}
    return {"tasks": TASKS, "cron_jobs": schedules(app.extensions["settings"]), "nice": NICE, **hooks}


def schedules(settings: Settings) -> list[crontab | every]:
    """The schedules of the site."""
    return [
        weekly(digest, settings.timezone),
        every(send_overdue, timedelta(minutes=1)),
        every(erase_old, timedelta(hours=1)),
        every(render_again, timedelta(minutes=1)),
    ]


async def _in_context(app: Quart, loop: Callable[[], Awaitable[None]]) -> None:
    async with app.app_context():
        await loop()
