"""The tasks of an order. The page shows the source of `fulfil`. No card is charged, and no parcel is sent."""

from __future__ import annotations

import inspect
from typing import Any

from sqlalchemy.exc import OperationalError

from app.mail import DeliveryFailed, Outcome
from app.playground.orders import mails
from app.playground.orders.records import ANSWER_WITHIN, KEPT
from app.web.rate_limits import RateLimitsUnavailable
from jobs import CurrentJob, task

MOST_TRIES = 200
"""Of a mail. They take more than a day."""


async def charge(number: int) -> str:
    """A real one gives `self.step_key` to the bank, which then charges once."""
    return f"payment-{number}"


async def refund(payment: str) -> str:
    return f"refund of {payment}"


@task(name="playground.print_label", result_expires=KEPT)
async def print_label(number: int) -> str:
    """A job of its own, as a slow printer would need."""
    return f"label-{number}"


@task(name="playground.ask", bind=True, queue="mail", max_concurrency=4, max_retries=None, result_expires=KEPT)
async def ask(self: Any, account_id: int, number: int) -> bool:
    """Mail the link. False if that cannot be done. Each try has the same Message-ID."""
    try:
        return await mails.ask(account_id, number)
    except (DeliveryFailed, RateLimitsUnavailable, OperationalError) as error:
        if getattr(error, "outcome", None) is Outcome.PERMANENT or self.request.retries >= MOST_TRIES:
            return False
        raise self.retry(exc=error, countdown=min(5 * 2**self.request.retries, 600)) from error


async def fulfil(self: CurrentJob, account_id: int, number: int) -> str:
    payment = await self.step("charge", charge, number)
    await self.run(print_label.s(number), name="label", key=number)
    if not await self.run(ask.s(account_id, number), name="ask", key=number):
        await self.step("refund", refund, payment)
        return "unasked"
    answer = await self.wait_for_event("approval", timeout=ANSWER_WITHIN, default=None)
    if not is_approval(answer):
        await self.step("refund", refund, payment)
        return "unanswered" if answer is None else "rejected"
    return "sent"


order = task(name="playground.order", bind=True, result_expires=KEPT)(fulfil)
CODE = inspect.getsource(fulfil)


def is_approval(answer: Any) -> bool:
    """The monitor can send any value."""
    return isinstance(answer, dict) and answer.get("approved") is True
