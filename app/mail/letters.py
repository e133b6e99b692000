"""One mail for many recipients, encoded once. The copies differ in a few headers and one link."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping

from app.mail.message import Parcel, check_block, checked_ascii, compose, pack, plain_address

LINE = 57  # bytes in one line of base64


class FormLetter:
    """Makes the same mail as `compose` and `pack` for each recipient, in a hundredth of the time."""

    def __init__(self, *, sender: str, subject: str, text: str, html: str, link: str) -> None:
        """*text* and *html* each contain *link* once. HeaderRefused: as `compose`."""
        sample = pack(compose(sender=sender, to="sample@example.org", subject=subject, text=""))
        self._sender = sample.sender
        boundary = f"==={secrets.token_hex(16)}==="
        self._head, self._names = _shared_headers(sample.wire)
        self._head += f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{boundary}"\r\n'.encode()
        self._names += ["MIME-Version", "Content-Type"]
        self._next, self._end = f"--{boundary}\r\n".encode(), f"--{boundary}--\r\n".encode()
        self._text, self._html = _Part("text/plain", text, link), _Part("text/html", html, link)

    def copy(self, to: str, *, message_id: str, headers: Mapping[str, str], link: str) -> Parcel:
        """The mail for this (parsed) address, with its own headers and link. HeaderRefused: as `compose`."""
        own = {"To": plain_address(to), "Message-ID": checked_ascii("Message-ID", message_id)}
        own |= {name: checked_ascii(name, value) for name, value in headers.items()}
        head = self._head + "".join(f"{name}: {value}\r\n" for name, value in own.items()).encode("ascii")
        check_block(head.removesuffix(b"\r\n"), [*self._names, *own])
        parts = (self._next, *self._text.with_link(link), self._next, *self._html.with_link(link), self._end)
        return Parcel(self._sender, to, b"".join((head, b"\r\n", *parts)))


class _Part:
    """A text, encoded up to the link, as far as it fills lines of base64."""

    def __init__(self, kind: str, content: str, link: str) -> None:
        before, _, after = content.partition(link)
        beginning, self._after = _wire_lines(before), _wire_lines(after)
        whole = len(beginning) - len(beginning) % LINE
        head = f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        self._encoded, self._rest = head.encode() + _base64(beginning[:whole]), beginning[whole:]

    def with_link(self, link: str) -> tuple[bytes, bytes]:
        return self._encoded, _base64(self._rest + link.encode() + self._after)


def _shared_headers(wire: bytes) -> tuple[bytes, list[str]]:
    """The header lines of a sample that are the same for every recipient and text, and their names."""
    kept: list[bytes] = []
    names: list[str] = []
    shared = False
    for line in wire.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        if line[:1] not in (b" ", b"\t"):
            name = line.partition(b":")[0].decode("ascii")
            shared = name not in ("To", "MIME-Version") and not name.startswith("Content-")
            names += [name] * shared
        kept += [line + b"\r\n"] * shared
    return b"".join(kept), names


def _wire_lines(text: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def _base64(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n")
