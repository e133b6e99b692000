"""The web server calls jobs and shows how they ended: `quart --app shop.web run`."""

from arq.connections import create_pool
from arq.jobs import Job
from quart import Quart, request

from .orders import Order
from .worker import QUEUE, REDIS

app = Quart(__name__)


@app.before_serving
async def connect():
    app.jobs = await create_pool(REDIS, default_queue_name=QUEUE)


@app.after_serving
async def disconnect():
    await app.jobs.aclose()


@app.post("/orders/<int:number>/receipt")
async def order(number):
    """One receipt for each order, however often somebody clicks."""
    job = await app.jobs.enqueue_job("send_receipt", Order(number), _job_id=f"receipt:{number}")
    return {"new": job is not None}


@app.post("/orders/<int:number>/charge")
async def pay(number):
    declines = int(request.args.get("declines", 0))
    job = await app.jobs.enqueue_job("charge", Order(number, declines=declines), _expires=3600)
    return {"job": job.job_id}


@app.post("/exports/<float:seconds>")
async def start_export(seconds):
    job = await app.jobs.enqueue_job("export", seconds, _defer_by=float(request.args.get("wait", 0)))
    return {"job": job.job_id}


@app.get("/jobs/<job_id>")
async def show(job_id):
    job = Job(job_id, app.jobs, _queue_name=QUEUE)
    info = await job.result_info()
    return {"status": (await job.status()).value, "result": repr(info.result) if info else None}


@app.delete("/jobs/<job_id>")
async def abort(job_id):
    job = Job(job_id, app.jobs, _queue_name=QUEUE)
    return {"aborted": await job.abort(timeout=10, poll_delay=0.1)}
