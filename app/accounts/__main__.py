"""`python -m app.accounts [EMAIL]`: print a one-time sign-in link, for the owner by default."""

import asyncio
import sys

from app.accounts.links import sign_in_link
from app.mail.address import AddressRefused
from app.migrations import upgrade
from app.private_files import own_settings
from settings import SettingsError


async def main(email: str) -> None:
    """Needs only the database: no Redis, no mail server, no worker, no running site."""
    settings = own_settings()
    await upgrade(settings)
    print(await sign_in_link(settings, email))


if __name__ == "__main__":
    try:
        asyncio.run(main(" ".join(sys.argv[1:])))
    except (AddressRefused, SettingsError) as error:
        sys.exit(str(error))
