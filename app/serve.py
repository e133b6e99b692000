"""`python -m app.serve`: run the web process."""

from __future__ import annotations

import asyncio
import sys

from app import create_app, logs
from app.private_files import own_settings
from jobs.monitor_site.web.server import run
from settings import SettingsError

if __name__ == "__main__":
    try:
        settings = own_settings()
        logs.configure(settings.log_level, settings.log_format)
        app = create_app(settings)
        asyncio.run(run(app, settings.host, settings.port, app.extensions["monitor"].end_streams))
    except SettingsError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{settings.host}:{settings.port} cannot be used ({error.strerror}): set HOST and PORT")
