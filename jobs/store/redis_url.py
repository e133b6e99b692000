"""The address of a Redis, read in one place: workers, callers, commands, the monitor and the site's settings agree."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from arq.connections import RedisSettings
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection

from ..errors import BadRedisURL
from .pool import Pool

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
    def read(cls, url: str) -> Self:
        """Read redis://[[user]:password@]host[:port][/db], rediss:// (TLS) or unix:///path[?db=0].

        Spaces around it are dropped. A missing host is localhost. BadRedisURL gives the reason, without the password.
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
            given = {name: value for name, value in given.items() if not name.startswith("socket_keepalive")}
            return Pool(UnixDomainSocketConnection, path=self.path, **given)
        kind = SSLConnection if self.tls else Connection
        return Pool(kind, host=self.host, port=self.port, **given)

    def arq_settings(self) -> RedisSettings:
        """The same for arq's own connections, such as that of `arq --check`."""
        given = {name: value for name, value in self.options.items() if name in _OF_ARQ}
        server: dict[str, Any] = {"host": self.host, "port": self.port, "unix_socket_path": self.path or None}
        login: dict[str, Any] = {"database": self.db, "username": self.username, "password": self.password}
        return _HiddenSettings(**server, **login, ssl=self.tls, **given)


class _HiddenSettings(RedisSettings):
    def __repr__(self) -> str:
        return f"RedisSettings(host={self.host!r}, port={self.port}, database={self.database})"


def _parts(url: object) -> dict[str, Any]:
    """The fields of a RedisURL; a ValueError gives the reason, without a word of the address itself."""
    if not isinstance(url, str):
        raise ValueError("is no text: give one such as redis://localhost:6379")
    url = url.strip()
    try:
        parts = urlsplit(url)
        port, raw = parts.port, (parts.username, parts.password, parts.hostname, parts.path)
    except ValueError:
        raise ValueError(f"has a host or a port that cannot be read: write host:port{ENCODE}") from None
    try:
        username, password, host, path = (unquote(part or "", errors="strict") for part in raw)
    except UnicodeDecodeError:
        raise ValueError("holds a %-sequence that is no UTF-8") from None
    is_socket = parts.scheme == "unix"
    in_path = "" if is_socket else path.strip("/")
    _refuse(url, parts.netloc.rpartition("@")[2], host, port, path, in_path, is_socket)
    options = _options(parts.scheme, parts.query)
    db = int(in_path or options.get("db", 0))
    if options.pop("db", db) != db:
        raise ValueError("names two databases: give it as /0 or as ?db=0, not both")
    return {
        "username": options.pop("username", None) or username or None,
        "password": options.pop("password", None) or password or None,
        "host": host or "localhost",
        "port": port or 6379,
        "path": path if is_socket else "",
        "db": db,
        "tls": parts.scheme == "rediss",
        "options": options,
    }


def _refuse(url: str, netloc: str, host: str, port: int | None, path: str, in_path: str, is_socket: bool) -> None:
    """ValueError for what can be read and is no address all the same."""
    has_scheme = re.match("(redis|rediss|unix)://", url, re.IGNORECASE)
    is_number = re.fullmatch(r"(\d{1,9})?", in_path, re.ASCII)
    for wrong, why in (
        (not url.isprintable(), "holds a line break or a control character: write it on one line"),
        (not has_scheme, "is not an address: begin it with redis:// or rediss:// or unix://"),
        ("#" in url, f"holds a #{ENCODE}"),
        (is_socket and netloc, "names a socket without its whole path: write unix:///run/redis/redis.sock"),
        (is_socket and not path.strip("/"), "names no socket: write unix:///run/redis/redis.sock"),
        (port == 0, "has port 0: Redis listens on 6379 unless it was changed"),
        (re.search(r"[\s,/@]", host), f"has a host that cannot be one: give one name or address{ENCODE}"),
        (not is_number, f"has a database that is no number: write it like redis://host:6379/0{ENCODE}"),
    ):
        if wrong:
            raise ValueError(why)


def _options(scheme: str, query: str) -> dict[str, Any]:
    """The options in the query, each with its type. Empty ones are left out."""
    found: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        raise ValueError(f"has options that cannot be read: write ?name=value&name=value{ENCODE}") from None
    known = _OF_SCHEME[scheme]
    for name, value in pairs:
        if name not in known:
            shown = "of that name" if "@" in query else repr(name)  # with an @ it is a piece of a password
            hint = "only rediss:// takes it" if name in _TLS_OPTIONS else f"there are {', '.join(known)}"
            raise ValueError(f"has no option {shown}; {hint}")
        if name in found:
            raise ValueError(f"gives {name} twice")
        if value:
            form, read, what = known[name]
            if not re.fullmatch(form, value, re.ASCII | re.IGNORECASE):
                raise ValueError(f"has a {name} that has to be {what}")
            found[name] = read(value)
    return found


_Option = tuple[str, Callable[[str], Any], str]
"""What the text of an option looks like, what reads it, and what it is called in a refusal."""

_TEXT: _Option = ("(?s:.*)", str, "text")
_NUMBER: _Option = (r"\d{1,9}", int, "a whole number")
_SECONDS: _Option = (r"(?=.*[1-9])\d{1,9}(\.\d{1,9})?", float, "seconds, more than 0")
_FLAG: _Option = ("1|0|true|false|yes|no|t|f|y|n", lambda text: text[0].lower() in "1ty", "true or false")
_OPTIONS: Mapping[str, _Option] = {
    "db": _NUMBER,
    "username": _TEXT,
    "password": _TEXT,
    "socket_timeout": _SECONDS,
    "socket_connect_timeout": _SECONDS,
    "health_check_interval": _NUMBER,
    "max_connections": (r"0*[1-9]\d{0,8}", int, "a whole number from 1"),
    "client_name": _TEXT,
    "protocol": ("2", int, "2: workers and callers speak RESP2"),
}
_TLS_OPTIONS: Mapping[str, _Option] = {
    "ssl_cert_reqs": ("none|optional|required", str.lower, "none, optional or required"),
    "ssl_check_hostname": _FLAG,
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_data", "ssl_certfile", "ssl_keyfile", "ssl_ciphers"), _TEXT),
}
_OF_SCHEME = {
    "unix": _OPTIONS,
    "redis": {**_OPTIONS, "socket_keepalive": _FLAG},
    "rediss": {**_OPTIONS, "socket_keepalive": _FLAG, **_TLS_OPTIONS},
}
_OF_ARQ = {*_TLS_OPTIONS, "max_connections"} - {"ssl_ciphers"}
