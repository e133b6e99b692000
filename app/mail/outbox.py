"""Send a mail that has a row in SQL: claim the row before DATA, settle it after the answer.

    compose -> connect, MAIL, RCPT -> claim -> DATA -> the answer -> sent, or the method of the outcome

A process that dies before the claim has sent nothing, and the row stays due. A process that dies after the claim may
have sent the mail. The claim is in the row, and each kind of mail decides whether to send it again.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from email.message import EmailMessage

from sqlalchemy.exc import OperationalError

from app.mail.failures import DeliveryFailed, Outcome
from app.mail.mailer import current_mailer
from app.mail.message import Parcel
from app.mail.smtp import Connection
from jobs import cancel_until_ended


class LostClaim(Exception):
    """Another process sends this mail or has sent it, or its row was changed or deleted since it was read."""


class Outgoing(ABC):
    """One mail: how to write it, and how each outcome of its delivery changes its row."""

    @abstractmethod
    async def compose(self) -> EmailMessage | Parcel:
        """The message. HeaderRefused: it is unsafe to send."""

    @abstractmethod
    async def claim(self) -> None:
        """Commit that the mail is being sent. LostClaim: it may no longer be sent.

        Called after the server has accepted sender and recipient. Any exception stops the mail before DATA.
        """

    def renewing(self) -> AbstractAsyncContextManager[None]:
        """Renew the claim until the answer arrives. By default nothing, for a claim that does not expire."""
        return nullcontext()

    async def sent(self) -> None:
        """250: the server has accepted it. By default nothing: the claim counts as sent."""
        return

    async def unreachable(self, failed: DeliveryFailed) -> None:
        """UNREACHABLE or ACCOUNT: the server did not judge this mail. Try again without counting a try."""
        await self.not_now(failed)

    @abstractmethod
    async def not_now(self, failed: DeliveryFailed) -> None:
        """TRANSIENT: try again, and count a try."""

    @abstractmethod
    async def refused(self, failed: DeliveryFailed) -> None:
        """PERMANENT: never try again."""

    async def uncertain(self, failed: DeliveryFailed) -> None:
        """UNCERTAIN: it may have been delivered. By default nothing: the claim counts as sent."""
        return

    async def lost(self) -> None:
        """`claim`, or a change after the answer, has raised LostClaim: another process owns the row now."""
        return


async def deliver(mail: Outgoing, *, over: Connection | None = None) -> bool:
    """Send *mail* once, over this connection or a new one. Returns whether the server has accepted it.

    After False its row says what happens next. Raises HeaderRefused, and anything but LostClaim that `claim` raises,
    with nothing sent. Records every outcome, even if the caller is cancelled meanwhile.
    """
    try:
        return await _send(mail, over)
    except LostClaim:
        await mail.lost()
        return False


async def _send(mail: Outgoing, over: Connection | None) -> bool:
    message = await mail.compose()
    try:
        async with mail.renewing():
            await current_mailer().send(message, over=over, before_data=mail.claim)
            # Shielded: if this worker stops now, the next one must not send the mail again.
            await asyncio.shield(_record_sent(mail))
            return True
    except DeliveryFailed as failed:
        await asyncio.shield(_settle(mail, failed))
        return False


async def _record_sent(mail: Outgoing) -> None:
    """Try five times: a sent mail without a record would be sent again, or never be recorded."""
    for more in (True, True, True, True, False):
        try:
            return await mail.sent()
        except OperationalError:
            if not more:
                raise
            await asyncio.sleep(1)


async def _settle(mail: Outgoing, failed: DeliveryFailed) -> None:
    """Call the method for this outcome: the table of docs/mail.md."""
    match failed.outcome:
        case Outcome.UNREACHABLE | Outcome.ACCOUNT:
            await mail.unreachable(failed)
        case Outcome.TRANSIENT:
            await mail.not_now(failed)
        case Outcome.PERMANENT:
            await mail.refused(failed)
        case Outcome.UNCERTAIN:
            await mail.uncertain(failed)


@asynccontextmanager
async def renewing(renew: Callable[[], Awaitable[None]], every_s: float) -> AsyncIterator[None]:
    """Call *renew* periodically during the block, because the answer to DATA may take eleven minutes.

    A failed renewal is ignored: the next one may work, and the change after the answer detects a lost claim.
    """

    async def keep() -> None:
        while True:
            await asyncio.sleep(every_s)
            with suppress(LostClaim, OperationalError):
                await renew()

    renewal = asyncio.create_task(keep())
    try:
        yield
    finally:
        await cancel_until_ended([renewal])
