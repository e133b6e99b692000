"""The worker of Quarq: one task for the jobs, two for the workflow."""

from examples.demo.work import MAX_JOBS, REDIS_URL, work
from jobs import connect, group, task, worker_settings

LEASE_S = 5
"""After a kill, other workers take over the jobs within this time. The default is 15 s."""
MEMBERS = 100


@task(name="kills.job")
async def job(number: int) -> None:
    await work(str(number))


@task(name="kills.square")
async def square(number: int) -> int:
    await work(f"square {number}")
    return number * number


@task(name="kills.total")
async def total(squares: list[int]) -> int:
    await work("total")
    return sum(squares)


WorkerSettings = worker_settings(
    redis_url=REDIS_URL, tasks=[job, square, total], max_jobs=MAX_JOBS, lease=LEASE_S, lease_renewal=LEASE_S / 3
)


async def send(redis_url: str, jobs: int) -> str:
    """Send the workflow and the jobs. Returns the id of the workflow."""
    async with connect(redis_url):
        workflow = await (group(square.s(n) for n in range(MEMBERS)) | total.s()).delay()
        await job.apply_many([(n,) for n in range(jobs)])
        return str(workflow.id)
