from celery import shared_task

from shop import db


@shared_task(rate_limit="600/m", ignore_result=True, autoretry_for=(OSError,), default_retry_delay=60)
def send(to, text):
    db.write_diary(f"to {to}: {text}")


@shared_task
def newsletter(addresses, text):
    for address in addresses:
        send.apply_async((address, text), countdown=1, expires=3600)
    return len(addresses)


@shared_task
def thank(count, to):
    send.delay(to, f"{count} letters are on their way")
