import pytest
from shop import bank, create_app, db, warehouse
from shop.extensions import in_context_of

from jobs.testing import eager


@pytest.fixture
def app(tmp_path):
    app = create_app(DATABASE=str(tmp_path / "shop.db"))
    warehouse.load()
    bank.outages = warehouse.busy = 0
    with app.app_context():
        yield app


@pytest.fixture
def at_once(app):
    with eager(around=in_context_of(app)):
        yield


@pytest.fixture
def order_id(app):
    return db.add_order("tea", "4242", "ann@example.org")
