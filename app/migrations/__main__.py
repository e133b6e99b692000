"""`python -m app.migrations`: upgrade the database of these settings to the newest schema."""

import asyncio
import sys

from app.migrations import upgrade
from app.private_files import own_settings
from settings import SettingsError

if __name__ == "__main__":
    try:
        asyncio.run(upgrade(own_settings()))
    except SettingsError as error:
        sys.exit(str(error))
