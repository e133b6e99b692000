"""A shop: Flask for its pages, Quarq for what takes longer than a request."""

from flask import Flask

from jobs import blocking
from shop import config, db
from shop.views import pages


def create_app(**settings: object) -> Flask:
    app = Flask(__name__)
    app.config.from_object(config)
    app.config.update(settings)
    db.create(app.config["DATABASE"])
    blocking.connect(app.config["REDIS_URL"])
    app.register_blueprint(pages)
    return app
