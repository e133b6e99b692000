"""What time it is: by the clock of Redis, the only one that counts."""

from datetime import datetime

from .store import Store
from .stored_values import moment_of, whole


async def now_ms(connection: Store) -> int:
    """Now, in ms since the epoch, as scripts see it."""
    seconds, microseconds = await connection.time()
    return int(seconds * 1000 + microseconds // 1000 + whole(await connection.get(connection.key.CLOCK)))


async def now(connection: Store) -> datetime:
    """The same as a moment."""
    return moment_of(await now_ms(connection))
