"""Send mails to the SMTP server, and learn the outcome of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from aiosmtplib import SMTP, SMTPException

from app.mail.failures import DeliveryFailed, Outcome, Stage, classify
from app.mail.message import Parcel, pack


@dataclass(frozen=True)
class MailServer:
    """The address and login of a mail server, and the time-outs for its answers, in seconds."""

    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = field(default="", repr=False)
    tls: str = "starttls"  # or "tls" from the first byte, or "none"
    socket_path: Path | None = None  # the local mail catcher; overrides host, port and tls
    local_hostname: str = "localhost"  # our name in EHLO; a DNS query for it can take 30 s
    connect_s: float = 15
    command_s: float = 60
    data_s: float = 660  # RFC 5321, 4.5.3.2.6: ten minutes. A shorter one sends mails twice


async def send(
    server: MailServer, message: EmailMessage | Parcel, *, before_data: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Send one mail over a new connection; see `Connection.send`."""
    connection = Connection(server)
    try:
        await connection.send(message, before_data=before_data)
    finally:
        connection.leave()


async def check(server: MailServer) -> None:
    """Connect, sign in and leave. Raises DeliveryFailed if the server would not accept a mail now."""
    connection = Connection(server)
    try:
        await connection.open()
    finally:
        connection.leave()


class Connection:
    """One SMTP conversation for any number of mails, one after the other. The first mail opens it."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._smtp: SMTP | None = None
        self._begun = False  # the server has not accepted the mail that was begun last

    async def send(
        self, message: EmailMessage | Parcel, *, before_data: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Return once the server has accepted the responsibility for *message* (250). Raises DeliveryFailed.

        An unsafe message raises HeaderRefused before anything connects. *before_data* is awaited once the server has
        accepted sender and recipient. Before it the mail cannot have been delivered; after it only the answer tells.
        Its exceptions propagate.
        """
        parcel = message if isinstance(message, Parcel) else pack(message)
        if self._smtp is not None:
            try:
                return await self._hand_over(self._smtp, parcel, before_data)
            except DeliveryFailed as failed:
                # Servers end a conversation after a number of mails or seconds. That does not concern this mail.
                if not failed.outcome.host_fault or failed.stage is Stage.DATA:
                    raise
        await self._hand_over(await self.open(), parcel, before_data)

    async def open(self) -> SMTP:
        """Connect and sign in. Raises DeliveryFailed."""
        self.leave()
        self._smtp, self._begun = _connection(self._server), False
        stage = Stage.CONNECT
        try:
            await self._smtp.connect(timeout=self._server.connect_s)
            stage = Stage.GREETING
            await _greet(self._smtp, self._server)
        except (SMTPException, OSError) as error:
            self.leave()
            raise classify(stage, error) from None
        return self._smtp

    async def _hand_over(self, smtp: SMTP, parcel: Parcel, before_data: Callable[[], Awaitable[None]] | None) -> None:
        stage = Stage.SENDER
        try:
            if self._begun:
                await smtp.rset()
            self._begun = True
            await smtp.mail(parcel.sender)
            stage = Stage.RECIPIENT
            await smtp.rcpt(parcel.to)
            if before_data is not None:
                await before_data()
            stage = Stage.DATA
            await smtp.data(parcel.wire, timeout=self._server.data_s)
            self._begun = False
        except (SMTPException, OSError) as error:
            failed = classify(stage, error)
            if failed.outcome.host_fault or failed.outcome is Outcome.UNCERTAIN:
                self.leave()
            raise failed from None  # tracebacks are stored, and the answer may hold addresses
        except BaseException:
            if stage is Stage.DATA:  # cancelled in the middle of the text
                self.leave()
            raise

    def leave(self) -> None:
        """Send QUIT and close, without waiting for the answer. It changes nothing for accepted mails."""
        if self._smtp is None:
            return
        if self._smtp.protocol is not None:
            with suppress(SMTPException):
                self._smtp.protocol.write(b"QUIT\r\n")
        self._smtp.close()
        self._smtp = None


def _connection(server: MailServer) -> SMTP:
    """A client, not yet connected. STARTTLS and the login are separate steps, to know which of them failed."""
    if server.socket_path is not None:
        return SMTP(socket_path=str(server.socket_path), start_tls=False, local_hostname=server.local_hostname)
    return SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls == "tls",
        start_tls=False,
        local_hostname=server.local_hostname,
        timeout=server.command_s,
    )


async def _greet(connection: SMTP, server: MailServer) -> None:
    await connection.ehlo()
    if server.tls == "starttls" and server.socket_path is None:
        await connection.starttls()
        await connection.ehlo()
    if server.user:
        await connection.login(server.user, server.password)
