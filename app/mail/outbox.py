"""Send a mail that has a row in SQL: claimed before its text leaves, settled after the answer.

    compose -> connect, MAIL, RCPT -> claim -> DATA -> the answer -> sent, or what the outcome asks for

A process that dies before the claim has sent nothing, and the row is due as before. One that dies after it may have
sent the mail: the claim is in the row, and each kind of mail decides whether it is sent once more.
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
    """One mail: how it is written, and what each end of its delivery means for its row."""

    @abstractmethod
    async def compose(self) -> EmailMessage | Parcel:
        """The message. HeaderRefused: it may not be sent at all."""

    @abstractmethod
    async def claim(self) -> None:
        """Commit that the mail is being sent, if it still may be. LostClaim: it may not.

        The server has agreed to sender and recipient by then. Whatever this raises stops the mail.
        """

    def renewing(self) -> AbstractAsyncContextManager[None]:
        """Keeps the claim while the answer is awaited; nothing by default, for a claim that has no end."""
        return nullcontext()

    async def sent(self) -> None:
        """250: the server has taken it. Nothing by default: the claim counts as sent."""
        return

    async def unreachable(self, failed: DeliveryFailed) -> None:
        """UNREACHABLE or ACCOUNT: nothing was said about this mail. Try again, and count no try."""
        await self.not_now(failed)

    @abstractmethod
    async def not_now(self, failed: DeliveryFailed) -> None:
        """TRANSIENT: try again, and count a try."""

    @abstractmethod
    async def refused(self, failed: DeliveryFailed) -> None:
        """PERMANENT: never try again."""

    async def uncertain(self, failed: DeliveryFailed) -> None:
        """UNCERTAIN: it may have been delivered. Nothing by default: the claim counts as sent."""
        return

    async def lost(self) -> None:
        """`claim`, or a change after the answer, has raised LostClaim: the row belongs to another by now."""
        return


async def deliver(mail: Outgoing, *, over: Connection | None = None) -> bool:
    """Send *mail* once, over this connection or one of its own. True: the server has taken it.

    False: it has not, or nobody knows, and the row says what follows. HeaderRefused comes out, with nothing sent,
    and so does what `claim` raises besides LostClaim. Every end is recorded even if the caller is cancelled meanwhile.
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
            # Shielded: a worker that is stopped now must not make the next one send it again.
            await asyncio.shield(_record_sent(mail))
            return True
    except DeliveryFailed as failed:
        await asyncio.shield(_settle(mail, failed))
        return False


async def _record_sent(mail: Outgoing) -> None:
    """Five tries: a mail that went out and is not recorded would go out again, or nobody would know of it."""
    for more in (True, True, True, True, False):
        try:
            return await mail.sent()
        except OperationalError:
            if not more:
                raise
            await asyncio.sleep(1)


async def _settle(mail: Outgoing, failed: DeliveryFailed) -> None:
    """The table of docs/mail.md."""
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
    """While the block runs, *renew* claims again and again: the answer to a text may take eleven minutes.

    A renewal that fails is no fault: the next one may work, and the change after the answer finds out.
    """

    async def keep() -> None:
        while True:
            await asyncio.sleep(every_s)
            with suppress(LostClaim, OperationalError):
                await renew()

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        await cancel_until_ended([keeping])
