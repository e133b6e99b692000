"""`arq worker.WorkerSettings`: wiring only."""

from __future__ import annotations

import sys

from app import create_app
from app.background import worker_options
from app.embedded.processes import StartError
from app.embedded.valkey import require_running
from app.private_files import own_settings
from jobs import worker_settings
from settings import SettingsError

try:
    settings = own_settings()
    require_running(settings)
except (SettingsError, StartError) as error:
    sys.exit(str(error))

WorkerSettings = worker_settings(
    redis_url=settings.redis_url,
    queues=settings.queues,
    log_format=settings.log_format,
    **worker_options(create_app(settings)),
)
