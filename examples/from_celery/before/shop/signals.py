"""What happens around tasks and workers: logging, error reports, a warm catalogue."""

import logging
import os

import sentry_sdk
from celery.signals import setup_logging, task_failure, task_retry, worker_init, worker_process_init
from sentry_sdk.integrations.celery import CeleryIntegration

from shop import warehouse

log = logging.getLogger("shop")


@setup_logging.connect
def plain_lines(**_):
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")


@worker_init.connect
def report_errors(**_):
    sentry_sdk.init(dsn=os.environ.get("SENTRY_DSN"), integrations=[CeleryIntegration()])
    log.info("the worker begins")


@worker_process_init.connect
def load_catalogue(**_):
    warehouse.load()


@task_failure.connect
def failed(sender=None, task_id=None, exception=None, **_):
    log.error("alert: %s[%s] %r", sender.name, task_id, exception)


@task_retry.connect
def retried(sender=None, request=None, reason=None, **_):
    log.warning("again: %s[%s] %s", sender.name, request.id, reason)
