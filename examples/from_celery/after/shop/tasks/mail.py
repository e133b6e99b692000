from shop import db
from shop.extensions import shop_task


@shop_task(queue="mail", rate_limit="600/m", ignore_result=True, autoretry_for=(OSError,), default_retry_delay=60)
def send(to, text):
    db.write_diary(f"to {to}: {text}")


@shop_task(queue="mail")
def newsletter(addresses, text):
    for address in addresses:
        send.blocking.apply_async((address, text), countdown=1, expires=3600)
    return len(addresses)


@shop_task(queue="mail")
def thank(count, to):
    send.blocking.delay(to, f"{count} letters are on their way")
