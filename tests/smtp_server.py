"""An SMTP server that does what the script says: answer, hang, hang up, before the dot or after it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from settings import Settings

SENDER = "Quarq <quarq@example.org>"
STALL = "stall"  # say nothing more
DROP = "drop"  # close the connection instead of answering
DROP_MID_DATA = "drop mid-data"  # close it once a part of the text has come
DROP_AFTER_DOT = "drop after dot"  # take the mail, and close before saying so
STALL_AFTER_DOT = "stall after dot"  # take the mail, and never say so


@dataclass
class Accepted:
    """A mail that the server took, whether or not the client has heard of it."""

    sender: str
    recipients: list[str]
    raw: bytes
    at: float = field(default_factory=time.time)

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw.replace(b"\r\n", b"\n"), policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])


class SmtpServer:
    """`script[stage]` is what to do at banner, ehlo, starttls, auth, mail, rcpt, data or dot: a reply like
    "451 later", or one of the words above. A list is used up, one entry each time (None: answer as usual)."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, login: str | None = None) -> None:
        self.script: dict[str, str | list[str | None]] = {}
        self.refused: set[str] = set()
        """Addresses that get no mail; said of each with 550."""
        self.accepted: list[Accepted] = []
        self.connections = 0
        self.open_now = 0
        self.most_open = 0
        self.commands: list[str] = []
        self.delay_s = 0.0
        self._tls = tls
        self._login = login
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._address: tuple[str, int] | Path | None = None

    @property
    def port(self) -> int:
        assert isinstance(self._address, tuple)
        return self._address[1]

    async def start(self, path: Path | None = None) -> SmtpServer:
        """Listen on *path*, or on the port used before, or on a free one."""
        self._address = path or self._address
        if isinstance(self._address, Path):
            self._server = await asyncio.start_unix_server(self._serve, str(self._address))
        else:
            port = self._address[1] if self._address else 0
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
            self._address = self._server.sockets[0].getsockname()
        return self

    async def stop(self) -> None:
        """Refuse connections from now on, and hang up those that are open."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        self._writers.add(writer)
        try:
            await _Conversation(self, reader, writer).hold()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.open_now -= 1
            self._writers.discard(writer)
            writer.transport.abort()

    def step(self, stage: str) -> str | None:
        planned = self.script.get(stage)
        if isinstance(planned, list):
            return planned.pop(0) if planned else None
        return planned


class _HungUp(ConnectionError):
    pass


class _Conversation:
    def __init__(self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._secure = False
        self._sender, self._recipients = "", list[str]()

    async def hold(self) -> None:
        await self._answer("banner", "220 test.example ESMTP")
        while line := await self._reader.readline():
            command = line.decode("ascii").strip()
            self._server.commands.append(command)
            verb = command.split(" ")[0].split(":")[0].lower()
            handler = getattr(self, f"_{verb}", None)
            if handler is None:
                await self._say("502 5.5.2 no such command")
            elif await handler(command) == "end":
                return

    async def _ehlo(self, command: str) -> None:
        offers = ["test.example", "8BITMIME"]
        if self._server._tls and not self._secure:
            offers.append("STARTTLS")
        if self._server._login:
            offers.append("AUTH PLAIN")
        lines = [f"250{'-' if i < len(offers) - 1 else ' '}{offer}" for i, offer in enumerate(offers)]
        await self._answer("ehlo", "\r\n".join(lines))

    _helo = _ehlo

    async def _starttls(self, command: str) -> None:
        if await self._answer("starttls", "220 go ahead") and self._server._tls:
            plain = self._writer.transport
            try:
                await self._writer.start_tls(self._server._tls)
            finally:  # a refused handshake leaves a writer without transport, which fails in its __del__
                self._writer._transport = self._writer.transport or plain  # type: ignore[attr-defined]
            self._secure = True

    async def _auth(self, command: str) -> None:
        given = base64.b64decode(command.split(" ")[2]).decode().replace("\0", ":").lstrip(":")
        right = "235 2.7.0 welcome" if given == self._server._login else "535 5.7.8 wrong password"
        await self._answer("auth", right)

    async def _mail(self, command: str) -> None:
        if self._sender:
            return await self._say("503 5.5.1 nested MAIL")
        if await self._answer("mail", "250 2.1.0 sender ok"):
            self._sender, self._recipients = _bracketed(command), []

    async def _rcpt(self, command: str) -> None:
        if _bracketed(command) in self._server.refused:
            return await self._say("550 5.7.1 not for this address")
        if await self._answer("rcpt", "250 2.1.5 recipient ok"):
            self._recipients.append(_bracketed(command))

    async def _data(self, command: str) -> None:
        if self._server.script.get("data") == DROP_MID_DATA:
            await self._say("354 go on")
            await self._reader.readexactly(20)
            raise _HungUp
        if not await self._answer("data", "354 go on"):
            return
        raw = b"".join([line async for line in self._lines_to_the_dot()])
        await asyncio.sleep(self._server.delay_s)
        plan = self._server.step("dot")
        if plan is None or plan.startswith("2") or plan in (DROP_AFTER_DOT, STALL_AFTER_DOT):
            self._server.accepted.append(Accepted(self._sender, list(self._recipients), raw))
        self._sender = ""
        await self._do(plan or "250 2.0.0 taken")

    async def _lines_to_the_dot(self) -> AsyncIterator[bytes]:
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            yield line[1:] if line.startswith(b".") else line

    async def _rset(self, command: str) -> None:
        self._sender, self._recipients = "", []
        await self._say("250 2.0.0 forgotten")

    async def _noop(self, command: str) -> None:
        await self._say("250 ok")

    async def _quit(self, command: str) -> str:
        with contextlib.suppress(ConnectionError):
            await self._say("221 bye")
        return "end"

    async def _answer(self, stage: str, usual: str) -> bool:
        """Do as the script says; True if the answer was the usual one."""
        plan = self._server.step(stage)
        await self._do(plan or usual)
        return plan is None

    async def _do(self, plan: str) -> None:
        if plan in (STALL, STALL_AFTER_DOT):
            await self._reader.read()  # until the client has had enough
            raise _HungUp
        if plan in (DROP, DROP_AFTER_DOT):
            raise _HungUp
        await self._say(plan)

    async def _say(self, line: str) -> None:
        self._writer.write(line.encode("ascii") + b"\r\n")
        await self._writer.drain()


def _bracketed(command: str) -> str:
    found = re.search("<(.*?)>", command)
    return found[1] if found else ""


def mailing(settings: Settings, server: SmtpServer, **changed: Any) -> Settings:
    """These settings, with *server* for the site's mail."""
    known = {"smtp_server": "127.0.0.1", "smtp_port": server.port, "smtp_tls": "none", "smtp_from": SENDER}
    return replace(settings, **(known | changed))


@asynccontextmanager
async def smtp_server(path: Path | None = None, **options: Any) -> AsyncIterator[SmtpServer]:
    """A server that listens until the block ends."""
    server = await SmtpServer(**options).start(path)
    try:
        yield server
    finally:
        await server.stop()
