import pytest
from shop import bank, db, warehouse
from shop.tasks import orders

pytestmark = pytest.mark.usefixtures("at_once")


def test_an_order_is_reserved_paid_and_shipped(order_id):
    orders.place(order_id)
    assert db.order(order_id)["state"] == "shipped"
    assert db.diary() == [f"to ann@example.org: Thank you for order {order_id}"]


def test_a_bank_that_does_not_answer_is_asked_again(order_id):
    bank.outages = 3
    assert orders.charge.blocking.delay(order_id).get() == order_id


def test_a_busy_warehouse_is_asked_again_and_in_the_end_given_up(order_id):
    warehouse.busy = 2
    assert orders.reserve.blocking.delay(order_id).get() == order_id
    warehouse.busy = 9
    with pytest.raises(warehouse.WarehouseBusy):
        orders.reserve.blocking.delay(order_id).get()


def test_a_refused_card_is_apologised_for(app):
    order_id = db.add_order("cake", "0002", "bob@example.org")
    orders.place(order_id)
    assert db.order(order_id)["state"] == "failed"
    assert "shop.tasks.orders.charge failed: card 0002 is refused" in db.diary()
    assert "to bob@example.org: Sorry: card 0002 is refused" in db.diary()
