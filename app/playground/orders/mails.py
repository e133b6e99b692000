"""The mail that asks for the answer to an order."""

from __future__ import annotations

from email.message import EmailMessage

from app import database
from app.accounts import Account
from app.context import site
from app.mail import DeliveryFailed, outbox, write
from app.mail.outbox import LostClaim, Outgoing
from app.mail_limits import DAY
from app.playground.orders.links import answer_url
from app.playground.orders.records import ANSWER_WITHIN, job_id
from app.web.rate_limits import Limit, current_rate_limits
from jobs import Result

MOST_MAILS = 3
"""How often one order's mail may leave, if nobody knows whether it arrived, or if its job is run again."""


async def ask(account_id: int, number: int) -> bool:
    """Mail the link. False if the order is not asked about (any more). Raises DeliveryFailed."""
    async with database.session() as db:
        account = await db.get(Account, account_id)
    return account is not None and await outbox.deliver(_Question(account, number))


async def question(account: Account, number: int) -> EmailMessage:
    """All tries of one order have the same Message-ID."""
    return await write(
        "orders/mails/approval",
        to=account.email,
        subject=f"Approve order {number}?",
        key=f"order.{account.id}.{number}",
        number=number,
        days=ANSWER_WITHIN.days,
        url=answer_url(account, number, site()),
    )


class _Question(Outgoing):
    """It has no row: the job that sends it tries again, with the same Message-ID."""

    def __init__(self, account: Account, number: int) -> None:
        self._account, self._number = account, number

    async def compose(self) -> EmailMessage:
        return await question(self._account, self._number)

    async def claim(self) -> None:
        """LostClaim: the account was deleted, its order has ended, or the mail has left MOST_MAILS times."""
        async with database.session() as db:
            account = await db.get(Account, self._account.id)
        if account is None or await Result(job_id(account)).state() not in ("PENDING", "STARTED", "RETRY"):
            raise LostClaim
        if await current_rate_limits().take(Limit("order-mail", f"{self._number}", times=MOST_MAILS, period_s=DAY)):
            raise LostClaim

    async def not_now(self, failed: DeliveryFailed) -> None:
        raise failed

    async def refused(self, failed: DeliveryFailed) -> None:
        raise failed

    async def uncertain(self, failed: DeliveryFailed) -> None:
        raise failed
