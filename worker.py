"""`arq worker.WorkerSettings`: wiring only."""

from __future__ import annotations

import sys

from app import create_app, logs
from app.background import worker_options
from jobs import worker_settings
from settings import Settings, SettingsError

try:
    settings = Settings.from_env()
except SettingsError as error:
    sys.exit(str(error))
logs.configure(settings.log_level, settings.log_format)

WorkerSettings = worker_settings(
    redis_url=settings.redis_url, queues=settings.queues, **worker_options(create_app(settings))
)
