import os

from celery.schedules import crontab

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")
DATABASE = os.environ.get("DATABASE", "shop.db")
REPORTS_TO = "owner@example.org"
CELERY = {
    "broker_url": REDIS_URL,
    "result_backend": REDIS_URL,
    "imports": ["shop.tasks.orders", "shop.tasks.mail", "shop.tasks.reports"],
    "task_default_queue": "default",
    "task_routes": {"shop.tasks.mail.*": {"queue": "mail"}, "shop.tasks.reports.*": {"queue": "reports"}},
    "task_track_started": True,
    "worker_prefetch_multiplier": 1,
    "broker_transport_options": {"visibility_timeout": 3600},
    "result_expires": 3600,
    "timezone": "Europe/Berlin",
    "beat_schedule": {
        "weekly-report": {
            "task": "shop.tasks.reports.weekly",
            "schedule": crontab(minute=0, hour=7, day_of_week="mon"),
        },
        "forget-carts": {"task": "shop.tasks.orders.forget_carts", "schedule": 900.0, "args": (48,)},
    },
}
