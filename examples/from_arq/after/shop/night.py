"""What cron starts each night: `python -m shop.night <orders> <catalogues>`. It plans the day's charges."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from jobs import connect

from .tasks import charge, import_catalogue
from .worker import REDIS_URL


async def main(orders, catalogues):
    today = datetime.now(UTC)
    async with connect(REDIS_URL):
        for number in range(orders):
            due = today + timedelta(seconds=number % 4)
            await charge.apply_async((number, 10.0, number % 3), task_id=f"charge:{number}", eta=due)
        for number in range(catalogues):
            await import_catalogue.delay(f"{today:%F}:{number % 5}", 4)
        print("first charge", await (await charge.delay(0)).get(timeout=60))


asyncio.run(main(*map(int, sys.argv[1:])))
