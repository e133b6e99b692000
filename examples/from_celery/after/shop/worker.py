"""arq shop.worker.WorkerSettings"""

from datetime import timedelta

from flask import Flask

from jobs import crontab, every, worker_settings
from shop import create_app, signals
from shop.extensions import in_context_of
from shop.tasks import mail, orders, reports


def settings_of(app: Flask) -> type:
    return worker_settings(
        redis_url=app.config["REDIS_URL"],
        tasks=[
            *(orders.reserve, orders.charge, orders.ship, orders.apologise, orders.forget_carts),
            *(mail.send, mail.newsletter, mail.thank),
            *(reports.turnover, reports.send, reports.failed, reports.weekly),
        ],
        queues=["default", "mail", "reports"],
        around=in_context_of(app),
        on_startup=signals.worker_begins,
        keep_result=3600,
        timezone="Europe/Berlin",
        cron_jobs=[
            crontab(reports.weekly, name="weekly-report", minute=0, hour=7, day_of_week="mon"),
            every(orders.forget_carts, timedelta(seconds=900), name="forget-carts", args=(48,)),
        ],
    )


WorkerSettings = settings_of(create_app())
