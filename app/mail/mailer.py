"""The mail server as the whole process sees it: while it is away, nobody waits for it twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from urllib.parse import urlsplit

from quart import current_app

from app.mail import smtp
from app.mail.failures import DeliveryFailed, Outcome
from app.mail.message import Parcel
from settings import Settings

log = logging.getLogger(__name__)


def current_mailer() -> Mailer:
    """The mailer of the running app; needs an app context."""
    mailer: Mailer = current_app.extensions["mailer"]
    return mailer


class Mailer:
    """Hands mails to one server. After a host fault every other mail fails at once for `pause_s`, then one of
    them tries again, alone: a server that lets connections hang costs one wait, not a thousand."""

    def __init__(self, server: smtp.MailServer, *, sender: str, pause_s: float = 15) -> None:
        self.server = server
        self.sender = sender
        self._pause_s = pause_s
        self._fault: DeliveryFailed | None = None
        self._closed_until = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Mailer:
        """The mailer of these settings: their server, or the catcher that `make run` starts."""
        return cls(
            smtp.MailServer(
                host=settings.smtp_server,
                port=settings.smtp_port,
                user=settings.smtp_user,
                password=settings.smtp_password,
                tls=settings.smtp_tls,
                socket_path=settings.smtp_socket if settings.embedded_mail else None,
                local_hostname=urlsplit(settings.base_url).hostname or "localhost",
            ),
            sender=settings.smtp_from,
        )

    async def send(
        self,
        message: EmailMessage | Parcel,
        *,
        over: smtp.Connection | None = None,
        before_data: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Return once the server has taken *message*, over a `connection()` or one of its own.

        Raises DeliveryFailed; see `smtp.Connection.send`.
        """
        self._refuse_while_away()
        try:
            if over is not None:
                await over.send(message, before_data=before_data)
            else:
                await smtp.send(self.server, message, before_data=before_data)
        except DeliveryFailed as failed:
            self._note(failed)
            raise
        self._note(None)

    @contextmanager
    def connection(self) -> Iterator[smtp.Connection]:
        """A connection that many mails are sent over one after the other."""
        connection = smtp.Connection(self.server)
        try:
            yield connection
        finally:
            connection.leave()

    async def check_if_away(self) -> DeliveryFailed | None:
        """None if the last mail got through; else ask the server again, as `check` does."""
        return await self.check() if self._fault is not None else None

    async def check(self) -> DeliveryFailed | None:
        """Ask the server now, pause or not: None if it would listen to a mail, else why not."""
        try:
            await smtp.check(self.server)
        except DeliveryFailed as failed:
            self._note(failed)
            return failed
        self._note(None)
        return None

    def _refuse_while_away(self) -> None:
        if self._fault is None:
            return
        now = time.monotonic()
        if now < self._closed_until:
            raise DeliveryFailed(self._fault.outcome, self._fault.reason, self._fault.stage)
        self._closed_until = now + self._pause_s  # this mail is the one that tries; the others go on waiting

    def _note(self, failed: DeliveryFailed | None) -> None:
        """Log a change once, not once per mail."""
        if failed is None or not failed.outcome.host_fault:  # it answered, so it is there
            if self._fault is not None:
                log.warning("the mail server is back")
            self._fault = None
            return
        if self._fault is None or self._fault.outcome is not failed.outcome:
            level = logging.ERROR if failed.outcome is Outcome.ACCOUNT else logging.WARNING
            log.log(level, "mail waits: %s", failed.reason)
        self._fault = failed
        self._closed_until = time.monotonic() + self._pause_s
