"""The embedded mail server: accepts every mail, sends none, stores each as one `.eml` file in `var/mail`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from app.private_files import make_private
from settings import Settings

KEPT_MAILS = 1000  # the newest ones
LONGEST_MAIL = 10 * 1024 * 1024


@contextlib.asynccontextmanager
async def catching(settings: Settings) -> AsyncIterator[None]:
    """Catch mail to `settings.smtp_socket` inside this block."""
    folder = settings.data_dir / "mail"
    for private in (folder, settings.socket_dir):
        make_private(private)
    catcher = Catcher(folder)
    server = await asyncio.get_running_loop().create_unix_server(
        lambda: SMTP(catcher, data_size_limit=LONGEST_MAIL, enable_SMTPUTF8=True, hostname="localhost"),
        path=settings.smtp_socket,
    )
    settings.smtp_socket.chmod(0o700)
    try:
        yield
    finally:
        server.close()
        settings.smtp_socket.unlink(missing_ok=True)


class Catcher:
    """aiosmtpd's handler: writes the whole mail to disk before it answers 250."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        store(self._folder, envelope.mail_from or "", envelope.rcpt_tos, envelope.content or b"")
        return "250 caught, see /inbox"


def store(folder: Path, sender: str, recipients: list[str], content: bytes | str) -> Path:
    """Write one mail as `<nanoseconds>-<random>.eml`, so that names sort by arrival. Delete the oldest mails."""
    raw = content if isinstance(content, bytes) else content.encode()
    head = f"Return-Path: <{sender}>\r\n" + "".join(f"Delivered-To: {to}\r\n" for to in recipients)
    path = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.eml"
    draft = path.with_suffix(".part")
    draft.write_bytes(head.encode() + raw)
    os.replace(draft, path)
    for old in sorted(folder.glob("*.eml"))[:-KEPT_MAILS]:
        old.unlink(missing_ok=True)
    return path
