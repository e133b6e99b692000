"""A shop: Flask for its pages, Celery for what takes longer than a request."""

from flask import Flask

from shop import config, db
from shop.extensions import celery_init_app
from shop.views import pages


def create_app(**settings: object) -> Flask:
    app = Flask(__name__)
    app.config.from_object(config)
    app.config.update(settings)
    db.create(app.config["DATABASE"])
    celery_init_app(app)
    app.register_blueprint(pages)
    return app
