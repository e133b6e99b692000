from flask import Blueprint, jsonify, request

from jobs import Result
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
    result = mail.newsletter.blocking.apply_async((asked["to"], asked["text"]), link=mail.thank.s("owner@example.org"))
    return jsonify(job=result.id), 202


@pages.post("/turnover/<day>")
def turnover(day):
    result = reports.turnover.blocking.apply_async((day,), request.get_json())
    return jsonify(job=result.id), 202


@pages.get("/jobs/<job_id>")
def job(job_id):
    result = Result(job_id).blocking
    answer = {"state": result.state()}
    if answer["state"] == "STARTED":
        answer["progress"] = result.meta()
    elif answer["state"] == "SUCCESS":
        answer["result"] = result.get()
    elif answer["state"] == "FAILURE":
        answer["error"] = str(result.get(propagate=False))
    return jsonify(answer)


@pages.delete("/jobs/<job_id>")
def revoke(job_id):
    Result(job_id).blocking.revoke(terminate=True)
    return "", 204
