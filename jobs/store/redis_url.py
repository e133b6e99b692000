"""The address of a Redis, read in one place: workers, callers, commands, the monitor and the site's settings agree."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

from arq.connections import RedisSettings
from redis.asyncio import connection as redis_py
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ..errors import BadRedisURL

KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10} if hasattr(socket, "TCP_KEEPIDLE") else {}
"""Seconds of silence after which TCP asks whether the other side is still there: no network forgets the connection."""
POOL_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "socket_keepalive_options": KEEPALIVE,
    # a JobsRedis tries commands again: it knows how long that may take
    "retry": Retry(NoBackoff(), 0),
}

_LOGIN = r"((?P<username>[^:/?#]*)(:(?P<password>[^/?#]*))?@)?"
_SERVER = r"(?P<host>\[[\da-fA-F:.]+\]|[^\s,:@/?#\[\]]*)(:(?P<port>\d{0,5}))?(/(?P<db>\d{1,9})?/?)?"
_SOCKET = r"(?P<path>/[^?#]*[^/?#][^?#]*)"
_QUERY = r"(\?(?P<query>([^=&#]+=[^&#]*(&|$))*))?"
_ENCODE = "in a user name or password write % / ? # @ : and spaces as %25 %2F %3F %23 %40 %3A %20"

_TEXT, _FLAG = ("(?s:.*)", "text"), ("(?i:1|0|true|false|yes|no|t|f|y|n)", "true or false")
_NUMBER, _SECONDS = (r"\d{1,9}", "a whole number"), (r"(?=.*[1-9])\d{1,9}(\.\d{1,9})?", "seconds, more than 0")
_OPTIONS = {
    **dict.fromkeys(("username", "password", "client_name"), _TEXT),
    **dict.fromkeys(("db", "health_check_interval"), _NUMBER),
    **dict.fromkeys(("socket_timeout", "socket_connect_timeout"), _SECONDS),
    "socket_keepalive": _FLAG,
    "max_connections": (r"0*[1-9]\d{0,8}", "a whole number from 1"),
    "protocol": ("2", "2: workers and callers speak RESP2"),
}
"""What may come after the `?`: what its text looks like, and what that is called in a refusal."""
_OF_TLS = {
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_data", "ssl_certfile", "ssl_keyfile", "ssl_ciphers"), _TEXT),
    "ssl_cert_reqs": ("none|optional|required", "none, optional or required"),
    "ssl_check_hostname": _FLAG,
}
"""The same with TLS, besides."""
_READERS: Mapping[str, Any] = {**redis_py.URL_QUERY_ARGUMENT_PARSERS, "port": int, "protocol": int}


class Pool(redis_py.ConnectionPool):
    """redis-py 5 connects under a lock: before a Redis that hangs, each would wait until those before it gave up."""

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> redis_py.AbstractConnection:
        """A connection that is ready; nobody else has it until it is released."""
        connection: redis_py.AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]  # redis-py's
        try:
            await self.ensure_connection(connection)
        except BaseException:
            # else one that could not SELECT its database goes on in another
            await connection.disconnect(nowait=True)
            await self.release(connection)
            raise
        return connection


@dataclass(frozen=True)
class RedisURL:
    """An address that was read. Its repr shows the scheme alone."""

    scheme: str
    given: Mapping[str, Any] = field(repr=False)
    """Keywords of redis-py: `db`, `host` and `port` or the `path` of a unix socket, and what else the address has."""

    @classmethod
    def read(cls, url: str) -> Self:
        """Read redis://[[user]:password@]host[:port][/db], rediss:// (TLS) or unix:///path[?db=0].

        Spaces around it are dropped. A missing host is localhost. BadRedisURL gives the reason, without the password.
        """
        try:
            return cls(*_read(url.strip() if isinstance(url, str) else ""))
        except UnicodeDecodeError:
            raise BadRedisURL(url, "holds a %-sequence that is no UTF-8") from None
        except ValueError as error:
            raise BadRedisURL(url, str(error)) from None

    def pool(self, **defaults: Any) -> redis_py.ConnectionPool:
        """A pool of connections to it. *defaults* hold where the address does not say otherwise."""
        given = {**defaults, **self.given}
        if self.scheme == "unix":
            given = {name: value for name, value in given.items() if not name.startswith("socket_keepalive")}
            return Pool(redis_py.UnixDomainSocketConnection, **given)
        return Pool(redis_py.SSLConnection if self.scheme == "rediss" else redis_py.Connection, **given)

    def arq_settings(self) -> RedisSettings:
        """The same for arq's own connections, such as that of `arq --check`."""
        known = {field.name for field in fields(RedisSettings)}
        given = {name: value for name, value in self.given.items() if name in known}
        own = {"database": self.given["db"], "unix_socket_path": self.given.get("path"), "ssl": self.scheme == "rediss"}
        return _HiddenSettings(**given, **own)


class _HiddenSettings(RedisSettings):
    def __repr__(self) -> str:
        return f"RedisSettings(host={self.host!r}, port={self.port}, database={self.database})"


def _read(url: str) -> tuple[str, dict[str, Any]]:
    """The fields of a RedisURL; a ValueError gives the reason, without a word of the address itself."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in ("redis", "rediss", "unix"):
        raise ValueError("is not an address: begin it with redis:// or rediss:// or unix://")
    found = re.fullmatch(_LOGIN + (_SOCKET if scheme == "unix" else _SERVER) + _QUERY, rest, re.ASCII)
    if found is None or not url.isprintable():
        form = "unix:///run/redis/redis.sock" if scheme == "unix" else f"{scheme}://user:password@host:6379/0"
        raise ValueError(f"cannot be read: write it on one line, like {form}; {_ENCODE}")
    parts = found.groupdict("")
    options = _options(scheme, parts.pop("query"))
    given: dict[str, Any] = {"db": 0} if scheme == "unix" else {"host": "localhost", "port": 6379, "db": 0}
    given |= {name: _typed(name, unquote(text, errors="strict")) for name, text in parts.items() if text}
    if not 0 < given.get("port", 1) < 2**16:
        raise ValueError("has a port that is none: Redis listens on 6379 unless it was changed")
    if parts.get("db") and given["db"] != options.get("db", given["db"]):
        raise ValueError("names two databases: give it as /0 or as ?db=0, not both")
    return scheme, {**given, **options}


def _options(scheme: str, query: str) -> dict[str, Any]:
    """The options in the query. Empty ones are left out."""
    known = {**_OPTIONS, **_OF_TLS} if scheme == "rediss" else _OPTIONS
    found = dict(parse_qsl(query, errors="strict"))
    for name, text in found.items():
        if name not in known:
            shown = "of that name" if "@" in query else repr(name)  # with an @ it is a piece of a password
            raise ValueError(f"has no option {shown}; {scheme}:// takes {', '.join(known)}")
        form, what = known[name]
        if not re.fullmatch(form, text, re.ASCII):
            raise ValueError(f"has a {name} that has to be {what}")
    return {name: _typed(name, text) for name, text in found.items()}


def _typed(name: str, text: str) -> Any:
    return text.strip("[]") if name == "host" else _READERS.get(name, str)(text)
