"""The caught mails on disk: their names, newest first, and what the inbox page shows of each."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

NAME = re.compile(r"\d{20}-[0-9a-f]{8}")
LONGEST_SOURCE = 200_000  # characters that the page shows; the whole source can be downloaded


@dataclass(frozen=True)
class Mail:
    """The parts of a caught mail that pages show."""

    name: str
    raw: bytes
    message: EmailMessage

    @property
    def arrived(self) -> datetime:
        return datetime.fromtimestamp(int(self.name[:20]) / 1e9, UTC)

    @property
    def subject(self) -> str:
        return _header(self.message, "Subject")

    @property
    def sender(self) -> str:
        return _header(self.message, "From")

    @property
    def to(self) -> str:
        return ", ".join(str(to) for to in self.message.get_all("Delivered-To", []))

    @property
    def text(self) -> str:
        return _body(self.message, "plain")

    @property
    def html(self) -> str:
        return _body(self.message, "html")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers in their order, decoded."""
        names = list(dict.fromkeys(name.lower() for name in self.message))
        shown = {name.lower(): name for name in self.message}
        return [(shown[name], value) for name in names for value in _values(self.message, name)]

    @property
    def source(self) -> str:
        return self.raw[:LONGEST_SOURCE].decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def is_cut(self) -> bool:
        """Whether `source` is only its beginning."""
        return len(self.raw) > LONGEST_SOURCE


def names_before(folder: Path, before: str) -> list[str]:
    """The names of the mails older than *before* (all if it is empty), newest first."""
    names = sorted((path.stem for path in folder.glob("*.eml")), reverse=True)
    return [name for name in names if not before or name < before]


def name_of(folder: Path, message_id: str) -> str | None:
    """The name of the newest mail with this Message-ID."""
    line = f"\nMessage-ID: <{message_id}>".encode()
    for name in names_before(folder, ""):
        with contextlib.suppress(FileNotFoundError):  # the catcher has just deleted it
            if line in (folder / f"{name}.eml").read_bytes().partition(b"\r\n\r\n")[0]:
                return name
    return None


def read_mail(folder: Path, name: str) -> Mail | None:
    """The mail of this name, or None if it does not exist (any more)."""
    try:
        raw = (folder / f"{name}.eml").read_bytes() if NAME.fullmatch(name) else None
    except FileNotFoundError:
        return None
    return None if raw is None else Mail(name, raw, BytesParser(policy=policy.default).parsebytes(raw))


def delete(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / f"{name}.eml").unlink(missing_ok=True)


def _header(message: EmailMessage, name: str) -> str:
    return next(iter(_values(message, name)), "")


def _values(message: EmailMessage, name: str) -> list[str]:
    try:
        return [str(value) for value in message.get_all(name, [])]
    except Exception:  # the standard library has no common class for malformed headers
        return ["(cannot be read)"]


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")
