"""Keys of ours that somebody else has written over with another type: imported when a script has met one."""

import logging
import time

from ..store.keys import Keys
from ..store.script_connection import ScriptConnection

SCAN_AGAIN_S = 10  # Seconds without a scan for wrong types after one that found nothing: the key is not ours then.
_looked = float("-inf")

logger = logging.getLogger("jobs.wrong_type")


async def put_aside(connection: ScriptConnection) -> bool:
    """Rename each key of ours that has another type to `jobs:aside:<key>`, for a week; True if there was one."""
    global _looked
    if time.monotonic() - _looked < SCAN_AGAIN_S:
        return False
    found: list[bytes] = []
    types = sorted(connection.key.types.items(), key=lambda one: -len(one[0]))
    families = [word for family in types for word in family]
    for pattern in map(connection.key.beginning_with, (Keys.OURS, "arq:")):
        cursor = b""
        while cursor != b"0":
            cursor, some = await connection.run("aside", [cursor or "0", pattern, *families])
            found += some
    if found:
        names = ", ".join(key.decode(errors="replace") for key in found[:10])
        logger.error("%d keys were of another type than ours, and are kept as jobs:aside:...: %s", len(found), names)
    else:
        _looked = time.monotonic()
    return bool(found)
