"""What happens around tasks and workers: error reports, a warm catalogue."""

import logging
import os

import sentry_sdk

from shop import warehouse

log = logging.getLogger("shop")


async def worker_begins(ctx):
    sentry_sdk.init(dsn=os.environ.get("SENTRY_DSN"))
    log.info("the worker begins")
    warehouse.load()


def failed(job, error):
    log.error("alert: %s[%s] %r", job.name, job.request.id, error)
