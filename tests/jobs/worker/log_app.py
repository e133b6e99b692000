"""An application that logs, and a task that kills its worker."""

from __future__ import annotations

import os
import signal

from jobs import task, worker_settings


@task(name="log_app.count")
def count() -> None:
    pass


@task(name="log_app.kill")
async def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if "REDIS_URL" in os.environ:
    WorkerSettings = worker_settings(redis_url=os.environ["REDIS_URL"], tasks=[count, kill])
