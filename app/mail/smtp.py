"""Hand one mail to the SMTP server, and know what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from aiosmtplib import SMTP, SMTPException

from app.mail.failures import Stage, classify
from app.mail.message import envelope_sender, recipient, to_bytes


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and how long we wait for each answer, in seconds."""

    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = field(default="", repr=False)
    tls: str = "starttls"  # or "tls" from the first byte, or "none"
    socket_path: Path | None = None  # the local mail catcher; host, port and tls do not count then
    local_hostname: str = "localhost"  # what we call ourselves; asking DNS for it can take 30 s
    connect_s: float = 15
    command_s: float = 60
    data_s: float = 660  # RFC 5321, 4.5.3.2.6: ten minutes. Giving up earlier sends mails twice


async def send(
    server: MailServer, message: EmailMessage, *, before_data: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Return once the server has taken the responsibility for *message* (250). Raises DeliveryFailed.

    It goes to the one address in its To header. A message that may not be sent at all raises HeaderRefused
    before anything is connected. *before_data* is awaited when the server has agreed to sender and recipient:
    before it the mail cannot have gone out, after it nobody knows until the answer. What it raises comes out.
    """
    wire, to, sender = to_bytes(message), recipient(message), envelope_sender(message)
    connection = _connection(server)
    stage = Stage.CONNECT
    try:
        await connection.connect(timeout=server.connect_s)
        stage = Stage.GREETING
        await _greet(connection, server)
        stage = Stage.ENVELOPE
        await connection.mail(sender)
        await connection.rcpt(to)
        if before_data is not None:
            await before_data()
        stage = Stage.DATA
        await connection.data(wire, timeout=server.data_s)
    except (SMTPException, OSError) as error:
        raise classify(stage, error) from error
    finally:
        _leave(connection)


async def check(server: MailServer) -> None:
    """Connect, sign in and leave: would a mail be listened to now? Raises DeliveryFailed if not."""
    connection = _connection(server)
    stage = Stage.CONNECT
    try:
        await connection.connect(timeout=server.connect_s)
        stage = Stage.GREETING
        await _greet(connection, server)
    except (SMTPException, OSError) as error:
        raise classify(stage, error) from error
    finally:
        _leave(connection)


def _connection(server: MailServer) -> SMTP:
    """Not connected yet. STARTTLS and the login are our own steps, so that we know which of them failed."""
    if server.socket_path is not None:
        return SMTP(
            socket_path=str(server.socket_path), start_tls=False, local_hostname=server.local_hostname
        )
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


def _leave(connection: SMTP) -> None:
    """Say goodbye without waiting for the answer: a mail that was taken is taken, whatever happens now."""
    if connection.protocol is not None:
        with suppress(SMTPException):
            connection.protocol.write(b"QUIT\r\n")
    connection.close()
