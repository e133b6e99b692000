"""Email addresses and hosts, as typed by a person: check them, and convert them to the one form that mail uses.

The settings, the pages and the mails all read addresses with these functions.
"""

from __future__ import annotations

import ipaddress
import re
from email.headerregistry import Address

import idna

from jobs.monitor_site.web.messages import Refused

MAX_LENGTH = 254  # characters; RFC 5321, 4.5.3.1.3
# Control characters (C0, DEL, C1), the Unicode line and paragraph separators, lone surrogates.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LONGEST_NAME = 100  # characters; a subject and a sender hold the name and more
HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
NAMED = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([^<>]*?))\s*<([^<>]*)>')
LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


class AddressRefused(Refused):
    """Not exactly one deliverable email address. The message is for the person who typed it."""


def parse(typed: str) -> str:
    """The address in *typed*, its domain in A-labels and lower case. Refuses two addresses instead of splitting them.

    The result holds only printable ASCII without spaces, commas, quotes or brackets, so it is safe in a
    header and on an SMTP command line. Parsing a result again gives the same result.
    """
    address = typed.strip(" ")
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        raise AddressRefused("not-an-address", "This is not an email address. Enter one like name@example.org.")
    if len(address) > MAX_LENGTH:
        raise AddressRefused("too-long", f"This email address is too long. The limit is {MAX_LENGTH} characters.")
    if "@" in local:
        raise AddressRefused("several", "Enter one email address only.")
    if not local.isascii():
        raise AddressRefused(
            "accents", "The part before the @ may contain only unaccented letters, digits and symbols."
        )
    if len(local) > 64 or not LOCAL_PART.fullmatch(local) or "=?" in local:
        raise AddressRefused("not-an-address", "This is not an email address. Enter one like name@example.org.")
    parsed = f"{local}@{_ascii_domain(domain)}"
    if len(parsed) > MAX_LENGTH:
        raise AddressRefused("too-long", f"This email address is too long. The limit is {MAX_LENGTH} characters.")
    return parsed


def parse_sender(written: str) -> str:
    """`address` or `Name <address>`, in the form that reads back the same. A name with `<` needs quotes."""
    name, address = split(written)
    return joined(check_name(name), parse(address))


def split(written: str) -> tuple[str, str]:
    """The name, which may be empty, and the address."""
    match = NAMED.fullmatch(written.strip(" "))
    if match is None:
        return "", written.strip(" ")
    quoted, plain, address = match.groups()
    return plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted), address.strip(" ")


def joined(name: str, address: str) -> str:
    """`Name <address>`, with quotes if the name needs them."""
    return str(Address(name, addr_spec=address)) if name else address


def check_name(name: str) -> str:
    """The name of a sender or a site, if each mail can hold it."""
    if len(name) > LONGEST_NAME:
        raise AddressRefused("long-name", f"This name is too long. The limit is {LONGEST_NAME} characters.")
    if "=?" in name or FORBIDDEN.search(name):
        raise AddressRefused("bad-name", "This name may not hold =?, line breaks or control characters.")
    return name


def ascii_host(host: str) -> str:
    """The name or number of a host in ASCII: in A-labels if it is a name with other letters."""
    if not host.isascii():
        return _ascii_domain(host)
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if not HOST.fullmatch(host) or ".." in host:
            raise AddressRefused("not-a-host", f"{_short(host)!r} is not the name of a host.") from None
    return host.lower()


def literal(host: str) -> str:
    """The host as it is written where mail expects a domain: a number in brackets (RFC 5321, 4.1.3)."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[IPv6:{number}]" if number.version == 6 else f"[{number}]"


def shown(address: str) -> str:
    """The address for display: its domain in Unicode."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.decode(domain)}"
    except idna.IDNAError:
        return address


def stored(part: str) -> str:
    """A part of an address in its stored form, for a search. Converts whole labels to A-labels."""
    local, at, domain = part.lower().rpartition("@")
    labels = [_a_label(label) for label in domain.split(".")]
    return local + at + ".".join(labels)


def _a_label(label: str) -> str:
    try:
        return label if label.isascii() else idna.encode(label, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return label


def _ascii_domain(domain: str) -> str:
    """IDNA 2008 with the mapping of UTS 46, as in browsers. Python's own codec turns ß into ss."""
    if domain.lower() == "localhost":
        return "localhost"
    try:
        found = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        found = ""
    if "." not in found or found.endswith(".") or found.rpartition(".")[2].isdigit():
        raise AddressRefused(
            "not-a-mail-server", f"{_short(domain)} is not a valid domain. Enter one like example.org."
        )
    return found


def _short(domain: str) -> str:
    """The domain for an error message, without unprintable characters."""
    return "".join(character if character.isprintable() else "?" for character in domain[:60])
