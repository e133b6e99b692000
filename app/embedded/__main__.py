"""`make run`: run Redis, the mail catcher, one worker and the web server until Ctrl-C."""

from __future__ import annotations

import asyncio
import sys

from app.embedded.processes import StartError
from app.embedded.supervisor import supervise
from app.private_files import own_settings
from settings import SettingsError

if __name__ == "__main__":
    try:
        asyncio.run(supervise(own_settings()))
    except (SettingsError, StartError) as error:
        sys.exit(str(error))
