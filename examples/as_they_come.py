"""Handle each result as soon as it is there, and use the first of several mirrors that answers.

arq examples.as_they_come.WorkerSettings    # in one terminal
python -m examples.as_they_come             # in another
"""

import asyncio
import os

from jobs import connect, first, group, task, worker_settings

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")


@task(name="as_they_come.fetch")
async def fetch(mirror: str, seconds: float) -> str:
    """Simulates a slow request. One mirror is down."""
    await asyncio.sleep(seconds)
    if mirror == "down":
        raise ConnectionError(mirror)
    return mirror


WorkerSettings = worker_settings(redis_url=REDIS_URL, tasks=[fetch])


async def main() -> None:
    async with connect(REDIS_URL):
        pages = await group(fetch.s("slow", 1.5), fetch.s("down", 0.1), fetch.s("quick", 0.6)).delay()
        async for page in pages.as_completed():
            print(await page.get(propagate=False))  # an error is returned like a result

        mirrors = [await fetch.delay("down", 0.1), await fetch.delay("far", 60), await fetch.delay("near", 0.5)]
        print(await first(mirrors, timeout=10, terminate=True))  # stops the far one


if __name__ == "__main__":
    asyncio.run(main())
