import logging

from jobs import chain, group
from shop import bank, db, warehouse
from shop.extensions import shop_task
from shop.tasks import mail

log = logging.getLogger(__name__)


@shop_task(bind=True, max_retries=3, default_retry_delay=30, raises=(warehouse.WarehouseBusy,))
def reserve(self, order_id):
    try:
        warehouse.reserve(db.order(order_id)["item"])
    except warehouse.WarehouseBusy as error:
        raise self.retry(exc=error, countdown=2**self.request.retries) from error
    return order_id


@shop_task(
    autoretry_for=(bank.BankAway,), retry_backoff=True, retry_backoff_max=600, retry_jitter=True, max_retries=5,
    time_limit=60, raises=(bank.CardRefused,),
)  # fmt: skip
def charge(order_id):
    receipt = bank.charge(db.order(order_id)["card"])
    db.set_state(order_id, "paid")
    log.info("order %s: %s", order_id, receipt)
    return order_id


@shop_task
def ship(order_id):
    db.set_state(order_id, "shipped")
    return order_id


@shop_task
def apologise(request, exc, traceback, order_id):
    db.set_state(order_id, "failed")
    mail.send.blocking.delay(db.order(order_id)["email"], f"Sorry: {exc}")


@shop_task(ignore_result=True)
def forget_carts(hours):
    db.write_diary(f"carts older than {hours} h forgotten")


def place(order_id):
    """Reserve, charge, then ship and mail at once; whatever fails on the way is apologised for."""
    email = db.order(order_id)["email"]
    steps = chain(
        reserve.s(order_id), charge.s(), group(ship.s(), mail.send.si(email, f"Thank you for order {order_id}"))
    )
    return steps.blocking.apply_async(link_error=apologise.s(order_id))
