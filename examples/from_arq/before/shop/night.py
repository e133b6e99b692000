"""What cron starts each night: `python -m shop.night <orders> <catalogues>`. It plans the day's charges."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from arq.connections import create_pool

from .orders import Order
from .worker import QUEUE, REDIS


async def main(orders, catalogues):
    pool = await create_pool(REDIS, default_queue_name=QUEUE)
    today = datetime.now(UTC)
    for number in range(orders):
        order, due = Order(number, declines=number % 3), today + timedelta(seconds=number % 4)
        await pool.enqueue_job("charge", order, _job_id=f"charge:{number}", _defer_until=due)
    for number in range(catalogues):
        await pool.enqueue_job("import_catalogue", f"{today:%F}:{number % 5}", 4)
    probe = await pool.enqueue_job("charge", Order(0))
    print("first charge", await probe.result(timeout=60, poll_delay=0.1))
    waiting, ended = await pool.queued_jobs(), await pool.all_job_results()
    print(len(waiting), "wait,", sum(not one.success for one in ended), "of", len(ended), "failed")
    await pool.aclose()


asyncio.run(main(*map(int, sys.argv[1:])))
