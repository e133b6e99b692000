"""The web server calls jobs and shows how they ended: `quart --app shop.web run`."""

from quart import Quart, request

from jobs import Result, connect

from .tasks import charge, export, send_receipt
from .worker import REDIS_URL

app = Quart(__name__)


@app.while_serving
async def connection():
    async with connect(REDIS_URL):
        yield


@app.post("/orders/<int:number>/receipt")
async def order(number):
    """One receipt for each order, however often somebody clicks."""
    result = await send_receipt.apply_async((number,), task_id=f"receipt:{number}")
    return {"job": result.id}


@app.post("/orders/<int:number>/charge")
async def pay(number):
    declines = int(request.args.get("declines", 0))
    result = await charge.apply_async((number,), {"declines": declines}, expires=3600)
    return {"job": result.id}


@app.post("/exports/<float:seconds>")
async def start_export(seconds):
    result = await export.apply_async((seconds,), countdown=float(request.args.get("wait", 0)))
    return {"job": result.id}


@app.get("/jobs/<job_id>")
async def show(job_id):
    result = Result(job_id)
    return {
        "status": await result.state(),
        "result": repr(await result.get(propagate=False)) if await result.ready() else None,
    }


@app.delete("/jobs/<job_id>")
async def abort(job_id):
    return {"was": await Result(job_id).revoke(terminate=True)}
