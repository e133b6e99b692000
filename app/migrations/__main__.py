"""`python -m app.migrations`: bring the database of these settings to the newest schema."""

import asyncio

from app.migrations import upgrade
from settings import Settings

if __name__ == "__main__":
    asyncio.run(upgrade(Settings.from_env()))
