"""The queues."""

from __future__ import annotations

from .... import monitor
from ...options import redis
from ..answers import Rows
from ..endpoints import read


@read("/queues")
async def queues() -> Rows[monitor.QueueInfo]:
    """Every queue that a worker serves, or that holds something or is paused. Of many unserved ones the fullest; the
    last row, without a name, sums up the others."""
    return Rows(await monitor.queues(redis()))
