"""celery -A shop.celery worker -Q default,mail,reports --concurrency 4     and     celery -A shop.celery beat"""

from shop import create_app, signals  # noqa: F401

flask_app = create_app()
app = flask_app.extensions["celery"]
