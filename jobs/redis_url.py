"""The address of a Redis, read in one place: workers, callers, commands, the monitor and the site's settings agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from arq.connections import RedisSettings
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection

from jobs.errors import BadRedisURL
from jobs.pool import Pool

ENCODE = "; in a user name or password write % / ? # @ : and spaces as %25 %2F %3F %23 %40 %3A %20"


@dataclass(frozen=True)
class RedisURL:
    """An address that was read: either `path` (a unix socket) or `host` and `port`. Its repr shows no password."""

    host: str = "localhost"
    port: int = 6379
    path: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What follows the `?`, but for db, username and password: keywords of redis-py's connections and pool."""

    @classmethod
    def read(cls, url: str) -> RedisURL:
        """Read redis://[[user]:password@]host[:port][/db], rediss:// (TLS) or unix:///path[?db=0].

        Spaces around it are dropped. A missing host is localhost. BadRedisURL says what is wrong, without the password.
        """
        try:
            return cls(**_parts(url))
        except ValueError as error:
            raise BadRedisURL(url, str(error)) from None

    def pool(self, **defaults: Any) -> ConnectionPool:
        """A pool of connections to it. *defaults* hold where the address does not say otherwise."""
        login = {"db": self.db, "username": self.username, "password": self.password}
        given = {**defaults, **self.options, **login}
        if self.path:
            for name in ("socket_keepalive", "socket_keepalive_options"):
                given.pop(name, None)
            return Pool(UnixDomainSocketConnection, path=self.path, **given)
        kind = SSLConnection if self.tls else Connection
        return Pool(kind, host=self.host, port=self.port, **given)

    def arq_settings(self) -> RedisSettings:
        """The same for arq's own connections, such as that of `arq --check`."""
        ssl = {name: value for name, value in self.options.items() if name in _OF_ARQ}
        return _HiddenSettings(
            host=self.host,
            port=self.port,
            unix_socket_path=self.path or None,
            database=self.db,
            username=self.username,
            password=self.password,
            ssl=self.tls,
            **ssl,
        )


class _HiddenSettings(RedisSettings):
    def __repr__(self) -> str:
        return f"RedisSettings(host={self.host!r}, port={self.port}, database={self.database})"


def _parts(url: object) -> dict[str, Any]:
    """The fields of a RedisURL; a ValueError says what is wrong, without a word of the address itself."""
    if not isinstance(url, str):
        raise ValueError("is no text: give one such as redis://localhost:6379")
    url = url.strip()
    if not url.isprintable():
        raise ValueError("holds a line break or a control character: write it on one line")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"has a host or a port that cannot be read: write host:port{ENCODE}") from None
    if parts.scheme not in ("redis", "rediss", "unix") or not url[len(parts.scheme) :].startswith("://"):
        raise ValueError("is not an address: begin it with redis:// or rediss:// or unix://")
    if "#" in url:
        raise ValueError(f"holds a #{ENCODE}")
    given = _options(parts)
    login = {
        "username": given.pop("username", None) or _decoded(parts.username) or None,
        "password": given.pop("password", None) or _decoded(parts.password) or None,
    }
    place = _socket(parts) if parts.scheme == "unix" else _host(parts, port)
    db = _db(parts, given.pop("db", None))
    return {**login, **place, "db": db, "tls": parts.scheme == "rediss", "options": given}


def _host(parts: SplitResult, port: int | None) -> dict[str, Any]:
    host = _decoded(parts.hostname) or "localhost"
    if port == 0:
        raise ValueError("has port 0: Redis listens on 6379 unless it was changed")
    if re.search(r"[\s,/@]", host):
        raise ValueError(f"has a host that cannot be one: give one name or address{ENCODE}")
    return {"host": host, "port": port or 6379}


def _socket(parts: SplitResult) -> dict[str, Any]:
    if parts.hostname or ":" in parts.netloc.rpartition("@")[2]:
        raise ValueError("names a socket without its whole path: write unix:///run/redis/redis.sock")
    path = _decoded(parts.path) or ""
    if not path.strip("/"):
        raise ValueError("names no socket: write unix:///run/redis/redis.sock")
    return {"path": path}


def _db(parts: SplitResult, asked: int | None) -> int:
    """The database in the path or in `?db=`; 0 if neither says."""
    words = [] if parts.scheme == "unix" else [word for word in parts.path.split("/") if word]
    if not words:
        return asked or 0
    if len(words) > 1 or not re.fullmatch(r"\d{1,9}", words[0], re.ASCII):
        raise ValueError(f"has a database that is no number: write it like redis://host:6379/0{ENCODE}")
    if asked is not None and asked != int(words[0]):
        raise ValueError("names two databases: give it as /0 or as ?db=0, not both")
    return int(words[0])


def _options(parts: SplitResult) -> dict[str, Any]:
    """What the query says, each as the type that it has; an empty value is as if it were not there."""
    found: dict[str, Any] = {}
    known = {**_OPTIONS, **_OF_SCHEME[parts.scheme]}
    try:
        pairs = parse_qsl(
            parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), errors="strict"
        )
    except ValueError:
        raise ValueError(f"has options that cannot be read: write ?name=value&name=value{ENCODE}") from None
    for name, value in pairs:
        if name not in known:
            shown = (
                "of that name" if "@" in parts.query else repr(name)
            )  # with an @ it is a piece of a password
            hint = "only rediss:// takes it" if name in _TLS_OPTIONS else f"there are {', '.join(known)}"
            raise ValueError(f"has no option {shown}; {hint}")
        if name in found:
            raise ValueError(f"gives {name} twice")
        if value:
            try:
                found[name] = known[name](value)
            except ValueError as error:
                raise ValueError(f"has a {name} that {error}") from None
    return found


def _decoded(text: str | None) -> str | None:
    try:
        return None if text is None else unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("holds a %-sequence that is no UTF-8") from None


# What an option may be: each takes the text and returns the value, or a ValueError says what it has to be.


def _whole(lowest: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdecimal() and len(value) < 10 and int(value) >= lowest):
            raise ValueError(f"has to be a whole number from {lowest}")
        return int(value)

    return read


def _seconds(value: str) -> float:
    if not (re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value, re.ASCII) and float(value) > 0):
        raise ValueError("has to be seconds, more than 0")
    return float(value)


def _yes_or_no(value: str) -> bool:
    if value.lower() not in ("1", "0", "true", "false", "yes", "no", "t", "f", "y", "n"):
        raise ValueError("has to be true or false")
    return value.lower() in ("1", "true", "yes", "t", "y")


def _resp2(value: str) -> int:
    if value != "2":
        raise ValueError("has to be 2: workers and callers speak RESP2")
    return 2


def _requirement(value: str) -> str:
    if value not in ("none", "optional", "required"):
        raise ValueError("has to be none, optional or required")
    return value


_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "db": _whole(0),
    "username": str,
    "password": str,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "health_check_interval": _whole(0),
    "max_connections": _whole(1),
    "client_name": str,
    "protocol": _resp2,
}
_TLS_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "ssl_cert_reqs": _requirement,
    "ssl_check_hostname": _yes_or_no,
    "ssl_ca_certs": str,
    "ssl_ca_data": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_ciphers": str,
}
_TCP_OPTIONS: Mapping[str, Callable[[str], Any]] = {"socket_keepalive": _yes_or_no}
_OF_SCHEME = {"unix": {}, "redis": _TCP_OPTIONS, "rediss": {**_TCP_OPTIONS, **_TLS_OPTIONS}}
_OF_ARQ = {*_TLS_OPTIONS, "max_connections"} - {"ssl_ciphers"}
