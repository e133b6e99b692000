"""Tasks inside Flask, and what each task of this shop does besides."""

from contextlib import asynccontextmanager
from functools import partial

from flask import Flask

from jobs import task
from shop import db, signals


def keep_diary(job, error):
    """Keeps a diary of what failed for good."""
    db.write_diary(f"{job.name} failed: {error}")
    signals.failed(job, error)


shop_task = partial(task, on_failure=keep_diary)


def in_context_of(app: Flask):
    @asynccontextmanager
    async def around(job):
        with app.app_context():
            yield

    return around
