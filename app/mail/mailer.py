"""The connection of this process to the mail server. While the server is away, only one mail at a time tries it."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from urllib.parse import urlsplit

from quart import current_app

from app.mail import address, smtp
from app.mail.failures import DeliveryFailed, Outcome
from app.mail.message import Parcel
from settings import Settings

log = logging.getLogger(__name__)


def current_mailer() -> Mailer:
    """The mailer of the running app. Needs an app context."""
    mailer: Mailer = current_app.extensions["mailer"]
    return mailer


class Mailer:
    """Sends mails to one server. After a host fault every mail fails at once for `pause_s`. Then a single mail tries
    again, so that a server that lets connections hang costs one wait and not a thousand."""

    def __init__(self, server: smtp.MailServer, *, sender: str, pause_s: float = 15) -> None:
        self.server = server
        self.sender = sender
        self._pause_s = pause_s
        self._fault: DeliveryFailed | None = None
        self._closed_until = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Mailer:
        """The mailer for these settings: for their server, or for the catcher of `make run`."""
        return cls(
            smtp.MailServer(
                host=settings.smtp_server,
                port=settings.smtp_port,
                user=settings.smtp_user,
                password=settings.smtp_password,
                tls=settings.smtp_tls,
                socket_path=settings.smtp_socket if settings.embedded_mail else None,
                local_hostname=address.literal(urlsplit(settings.base_url).hostname or "localhost"),
            ),
            sender=settings.sender,
        )

    async def send(
        self,
        message: EmailMessage | Parcel,
        *,
        over: smtp.Connection | None = None,
        before_data: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Return once the server has accepted *message*, over a `connection()` or over a new connection.

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
        """A connection for many mails, sent one after the other."""
        connection = smtp.Connection(self.server)
        try:
            yield connection
        finally:
            connection.leave()

    async def check_if_away(self) -> DeliveryFailed | None:
        """None if the last mail reached the server. Otherwise `check` the server."""
        return await self.check() if self._fault is not None else None

    async def check(self) -> DeliveryFailed | None:
        """Connect to the server now, even in a pause. Returns None if it would accept a mail, or the failure."""
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
        self._closed_until = now + self._pause_s  # only this mail tries now

    def _note(self, failed: DeliveryFailed | None) -> None:
        """Log once per change, not once per mail."""
        if failed is None or not failed.outcome.host_fault:  # the server answered
            if self._fault is not None:
                log.warning("the mail server is back")
            self._fault = None
            return
        if self._fault is None or self._fault.outcome is not failed.outcome:
            level = logging.ERROR if failed.outcome is Outcome.ACCOUNT else logging.WARNING
            log.log(level, "mail waits: %s", failed.reason)
        self._fault = failed
        self._closed_until = time.monotonic() + self._pause_s
