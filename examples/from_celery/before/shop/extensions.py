"""Celery inside Flask, as Flask's documentation shows it, and what each task of this shop does besides."""

from celery import Celery, Task
from flask import Flask

from shop import db


class ShopTask(Task):
    """Runs in the application's context, and keeps a diary of what failed for good."""

    flask_app: Flask

    def __call__(self, *args, **kwargs):
        with self.flask_app.app_context():
            return self.run(*args, **kwargs)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        with self.flask_app.app_context():
            db.write_diary(f"{self.name} failed: {exc}")


def celery_init_app(app: Flask) -> Celery:
    base = type("FlaskTask", (ShopTask,), {"flask_app": app})
    celery_app = Celery(app.name, task_cls=base)
    celery_app.config_from_object(app.config["CELERY"])
    celery_app.set_default()
    app.extensions["celery"] = celery_app
    return celery_app
