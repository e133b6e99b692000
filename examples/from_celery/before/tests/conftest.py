import pytest
from shop import bank, create_app, db, warehouse


@pytest.fixture
def app(tmp_path):
    app = create_app(DATABASE=str(tmp_path / "shop.db"))
    app.extensions["celery"].conf.update(
        task_always_eager=True, task_store_eager_result=True, result_backend="cache+memory://", broker_url="memory://"
    )
    warehouse.load()
    bank.outages = warehouse.busy = 0
    with app.app_context():
        yield app


@pytest.fixture
def order_id(app):
    return db.add_order("tea", "4242", "ann@example.org")
