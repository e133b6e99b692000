from celery.result import AsyncResult
from flask import Blueprint, jsonify, request

from shop import db
from shop.tasks import mail, orders, reports

pages = Blueprint("pages", __name__)


@pages.post("/orders")
def place_order():
    order_id = db.add_order(**request.get_json())
    return jsonify(order=order_id, job=orders.place(order_id).id), 202


@pages.post("/newsletter")
def newsletter():
    asked = request.get_json()
    result = mail.newsletter.apply_async(
        (asked["to"], asked["text"]), link=mail.thank.s("owner@example.org"), priority=9
    )
    return jsonify(job=result.id), 202


@pages.post("/turnover/<day>")
def turnover(day):
    result = reports.turnover.apply_async((day,), request.get_json(), soft_time_limit=3)
    return jsonify(job=result.id), 202


@pages.get("/jobs/<job_id>")
def job(job_id):
    result = AsyncResult(job_id)
    answer = {"state": result.state}
    if result.state == "PROGRESS":
        answer["progress"] = result.info
    elif result.successful():
        answer["result"] = result.result
    elif result.failed():
        answer["error"] = str(result.result)
    return jsonify(answer)


@pages.delete("/jobs/<job_id>")
def revoke(job_id):
    AsyncResult(job_id).revoke(terminate=True)
    return "", 204
