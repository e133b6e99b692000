"""What a mail is made of, and its bytes on the wire: one recipient, and no header that we did not write."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any

MAX_HEADER = (
    250  # characters; a line of an SMTP message ends at 998 bytes, encoded words need up to 12 per character
)

LINE_WITH_WORDS = 76  # characters; RFC 2047, 2. A line of a header without encoded words may have 998


class Wire(EmailPolicy):
    """Subject and sender in lines of 76, in encoded words if they need it; every other header on one line.

    The standard policies fold a long List-Unsubscribe link into an encoded word, which no mail program opens.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """The header as it is sent, with the end of its line."""
        if name == "Subject":
            return f"{name}: {_folded(name, str(value))}\r\n".encode("ascii")
        if name == "From" and not _is_plain(name, str(value)) and value.addresses[0].display_name:
            sender: Address = value.addresses[0]
            words = _folded(name, sender.display_name, as_words=True)
            return f"{name}: {words}\r\n <{sender.addr_spec}>\r\n".encode("ascii")
        return super().fold_binary(name, value)


WIRE = Wire(linesep="\r\n", max_line_length=998, cte_type="7bit")

# Control characters (C0, DEL, C1), the Unicode line and paragraph separators, lone surrogates.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
HEADER_NAME = re.compile(rb"([!-9;-~]+):[ \t]")


class HeaderRefused(ValueError):
    """A value that may not stand in a header, or a message that does not read back as it was written."""


def compose(
    *,
    sender: str,
    to: str,
    subject: str,
    text: str,
    html: str | None = None,
    message_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> EmailMessage:
    """A mail to exactly one person, as text and, if given, HTML. *sender* may be `Name <address>`.

    *to* is an address as `app.mail.address.parse` gives it, domain in A-labels. *headers* are further ones,
    in ASCII: each stands on one line, as it was given. HeaderRefused: something that may not stand in a header.
    """
    name, sender_address = parseaddr(checked("From", sender))
    message = EmailMessage(policy=WIRE)
    fields: dict[str, str | Address] = {
        "From": Address(name, addr_spec=plain_address(sender_address)),
        "To": Address(addr_spec=plain_address(to)),
        "Subject": checked("Subject", subject),
        "Date": format_datetime(datetime.now(UTC)),
        "Auto-Submitted": "auto-generated",  # RFC 3834: no holiday notice answers it
    }
    if message_id is not None:
        fields["Message-ID"] = checked_ascii("Message-ID", message_id)
    for field, value in (headers or {}).items():
        fields[field] = checked_ascii(field, value)
    for field, field_value in fields.items():
        message[field] = field_value
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def checked(name: str, value: str) -> str:
    """*value*, if it can stand in a header as it is.

    `=?` begins an encoded word. Python before 3.11.10 and 3.12.5 decodes it and writes the line breaks inside
    as they are (CVE-2024-6923), and a reader could show a subject that nobody wrote.
    """
    if "=?" in value:
        raise HeaderRefused(f"{name} may not hold the characters =?: leave one of them out.")
    if FORBIDDEN.search(value):
        raise HeaderRefused(f"{name} may not hold line breaks or control characters: write it on one line.")
    if len(value) > MAX_HEADER and name != "List-Unsubscribe":
        raise HeaderRefused(f"{name} is too long: it may have {MAX_HEADER} characters.")
    return value


def checked_ascii(name: str, value: str) -> str:
    """The same for a header that programs read: nothing of it may have to be written as an encoded word."""
    if not value.isascii():
        raise HeaderRefused(f"{name} may only hold letters without accents, digits and signs.")
    return checked(name, value)


def plain_address(value: str) -> str:
    """*value*, if it is one bare address: nothing in it can name a second recipient or end the line."""
    if len(value) > 254 or "=?" in value or not ADDRESS.fullmatch(value):
        raise HeaderRefused(f"{value[:60]!r} is not one plain email address.")
    return value


def to_bytes(message: EmailMessage) -> bytes:
    """The message as it is sent, read once more: the headers that were set, each once, in clean lines."""
    try:
        wire = message.as_bytes(policy=WIRE)
    except (MessageError, UnicodeError) as error:
        raise HeaderRefused(f"The mail cannot be written: {error}") from error
    check_block(wire.partition(b"\r\n\r\n")[0], list(message))
    return wire


def check_block(block: bytes, names: Iterable[str]) -> None:
    """Refuse a header block that holds anything but these headers, each once, in clean lines."""
    lines = block.split(b"\r\n")
    if any(re.search(rb"[^\t\x20-\x7e]", line) or len(line) > 998 for line in lines):
        raise HeaderRefused(
            "The mail's headers hold a byte that may not be there, or a line that is too long."
        )
    found: Counter[str] = Counter()
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            continue
        match = HEADER_NAME.match(line + b" ")
        if match is None:
            raise HeaderRefused(f"The mail has a line in its headers that is none: {line[:40]!r}")
        found[match[1].decode("ascii").lower()] += 1
    if found != Counter(name.lower() for name in names) or max(found.values()) > 1:
        raise HeaderRefused(f"The mail has other headers than were set: {', '.join(sorted(found))}")


@dataclass(frozen=True)
class Parcel:
    """What a mail server is handed: from whom, to whom, and the bytes of the message."""

    sender: str
    to: str
    wire: bytes


def pack(message: EmailMessage) -> Parcel:
    """*message*, ready to be sent to the one address that it is for. HeaderRefused: it may not be sent at all."""
    [to], [sender] = message["To"].addresses, message["From"].addresses
    return Parcel(str(sender.addr_spec), str(to.addr_spec), to_bytes(message))


def _is_plain(name: str, value: str) -> bool:
    """Whether it can stand on one line as it is."""
    return value.isascii() and len(f"{name}: {value}") <= LINE_WITH_WORDS


def _folded(name: str, value: str, *, as_words: bool = False) -> str:
    """*value* as it is if it is plain, else in as many encoded words as it takes, one a line."""
    if _is_plain(name, value) and not as_words:
        return value
    return Header(value, "utf-8", LINE_WITH_WORDS, name).encode(linesep="\r\n")
