"""Readers of settings: each converts the text of a setting to its value. A ValueError says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import email_addresses
from jobs import BadRedisURL, RedisURL


def text_line(value: str) -> str:
    if email_addresses.FORBIDDEN.search(value):
        raise ValueError("holds a line break or control character: put it on one line")
    return value


def whole_number(least: int, most: int, kind: str) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise ValueError(f"is not {kind}: use a whole number from {least} to {most}")
        return int(value)

    return read


def like(pattern: str, problem: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(problem)
        return value

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    by_name = {choice.lower(): choice for choice in choices}

    def read(value: str) -> str:
        if value.lower() not in by_name:
            raise ValueError(f"is not known: use one of {', '.join(choices)}")
        return by_name[value.lower()]

    return read


def address(*schemes: str) -> Callable[[str], str]:
    examples = " or ".join(f"{scheme}://" for scheme in schemes if "+" not in scheme)

    def read(value: str) -> str:
        try:
            parts = urlsplit(text_line(value))
            complete = bool(parts.hostname or parts.path.strip("/")) and parts.port != 0
        except ValueError:
            complete = False
        if not complete or parts.scheme not in schemes:
            raise ValueError(f"is not an address: begin it with {examples}")
        return value

    return read


def redis_address(value: str) -> str:
    try:
        RedisURL.read(value)
    except BadRedisURL as error:
        raise ValueError(error.reason) from None
    return value


def web_address(value: str) -> str:
    found = address("http", "https")(value).rstrip("/")
    if found.count("/") > 2 or set(found) & set("?#@"):
        raise ValueError("says too much: give only http(s)://, the host and maybe a port")
    parts = urlsplit(found)
    host = host_name(parts.hostname or "")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{parts.port}' * bool(parts.port)}"


def host_name(value: str) -> str:
    """The name of a host, in A-labels, or its number."""
    try:
        return email_addresses.ascii_host(text_line(value).strip("[]"))
    except email_addresses.AddressRefused:
        raise ValueError("is not the name of a host: use one like mail.example.org, without a port") from None


def trace_address(value: str) -> str:
    found = address("http", "https")(value)
    if found.count("{trace_id}") != 1:
        raise ValueError("does not say where the trace's id goes: write {trace_id} there, once")
    return found


def sql_address(value: str) -> str:
    """A URL of SQLite or Postgres. The driver is optional."""
    read = address("sqlite", "postgresql", "sqlite+aiosqlite", "postgresql+asyncpg")
    scheme, rest = read(value).split("://", 1)
    return f"{'sqlite+aiosqlite' if scheme.startswith('sqlite') else 'postgresql+asyncpg'}://{rest}"


port_number = whole_number(1, 65535, "a port")
days = whole_number(1, 3650, "a number of days")
proxies = whole_number(0, 10, "a number of proxies")
rate = whole_number(1, 10_000, "a rate")
language_code = like(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", "is not a language: use a code like en, de or zh-Hans")


def sender(value: str) -> str:
    """An email address, or `Name <address>`."""
    return _parsed(email_addresses.parse_sender, value)


def email_address(value: str) -> str:
    return _parsed(email_addresses.parse, value).lower()


def site_name(value: str) -> str:
    return _parsed(email_addresses.check_name, value)


def _parsed(parse: Callable[[str], str], value: str) -> str:
    try:
        return parse(text_line(value))
    except email_addresses.AddressRefused as error:
        raise ValueError(f"cannot be used in mail. {error}") from None


def zone_name(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a time zone: use a name like Europe/Berlin or UTC") from None
    return value


def name_list(value: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    if not all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in found):
        raise ValueError("is not a list of names: separate them with commas, like mail,default")
    return found


def long_secret(value: str) -> str:
    if len(value) < 16:
        raise ValueError("is too short to be secret: use 16 characters or more, or leave it out")
    return value
