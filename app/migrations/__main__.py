"""`python -m app.migrations`: bring the database of these settings to the newest schema."""

import asyncio
import sys

from app.migrations import upgrade
from settings import Settings, SettingsError

if __name__ == "__main__":
    try:
        asyncio.run(upgrade(Settings.from_env()))
    except SettingsError as error:
        sys.exit(str(error))
