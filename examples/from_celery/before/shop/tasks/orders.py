from celery import chain, group, shared_task
from celery.utils.log import get_task_logger

from shop import bank, db, warehouse
from shop.tasks import mail

log = get_task_logger(__name__)


@shared_task(bind=True, max_retries=3, default_retry_delay=30)
def reserve(self, order_id):
    try:
        warehouse.reserve(db.order(order_id)["item"])
    except warehouse.WarehouseBusy as error:
        raise self.retry(exc=error, countdown=2**self.request.retries) from error
    return order_id


@shared_task(
    autoretry_for=(bank.BankAway,), retry_backoff=True, retry_backoff_max=600, retry_jitter=True, max_retries=5,
    acks_late=True, reject_on_worker_lost=True, soft_time_limit=50, time_limit=60, throws=(bank.CardRefused,),
)  # fmt: skip
def charge(order_id):
    receipt = bank.charge(db.order(order_id)["card"])
    db.set_state(order_id, "paid")
    log.info("order %s: %s", order_id, receipt)
    return order_id


@shared_task
def ship(order_id):
    db.set_state(order_id, "shipped")
    return order_id


@shared_task
def apologise(request, exc, traceback, order_id):
    db.set_state(order_id, "failed")
    mail.send.delay(db.order(order_id)["email"], f"Sorry: {exc}")


@shared_task(ignore_result=True)
def forget_carts(hours):
    db.write_diary(f"carts older than {hours} h forgotten")


def place(order_id):
    """Reserve, charge, then ship and mail at once; whatever fails on the way is apologised for."""
    email = db.order(order_id)["email"]
    steps = chain(
        reserve.s(order_id), charge.s(), group(ship.s(), mail.send.si(email, f"Thank you for order {order_id}"))
    )
    return steps.apply_async(link_error=apologise.s(order_id))
