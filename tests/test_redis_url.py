"""Every way to give a Redis reads the address alike: the same forms, the same refusals, and no password is shown."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from redis.asyncio.connection import ConnectionPool, SSLConnection, UnixDomainSocketConnection

from app.web.rate_limits import RateLimits
from jobs import BadRedisURL, JobsRedis, RedisURL, connect, monitor_app, worker_settings
from jobs.commands.frame import Target
from settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parent.parent
SECRET = "hush"  # a piece of every password here

TAKEN: dict[str, dict[str, Any]] = {
    "redis://h": {"host": "h", "port": 6379, "db": 0, "username": None, "password": None},
    "redis://h/": {"host": "h", "port": 6379, "db": 0},
    "redis://h:6379/": {"host": "h", "port": 6379, "db": 0},
    "redis://h:": {"host": "h", "port": 6379, "db": 0},
    "redis://h:7000/3": {"host": "h", "port": 7000, "db": 3},
    "redis://h/3/": {"host": "h", "db": 3},
    "redis://h?db=4": {"host": "h", "db": 4},
    "redis://h/4?db=4": {"host": "h", "db": 4},
    "redis://h/?db=": {"host": "h", "db": 0},
    "REDIS://h": {"host": "h", "db": 0},
    "  redis://h:6379/1\n": {"host": "h", "db": 1},
    "redis://": {"host": "localhost", "port": 6379},
    "redis://:7000/2": {"host": "localhost", "port": 7000, "db": 2},
    "redis://:hush@h": {"host": "h", "username": None, "password": "hush"},
    "redis://user@h": {"host": "h", "username": "user", "password": None},
    "redis://user:hush@h/1": {"host": "h", "username": "user", "password": "hush", "db": 1},
    "redis://u%40x:hush%2F%3A%40%23%3F%25%20%C3%BC@h/1": {"username": "u@x", "password": "hush/:@#?% ü", "db": 1},
    "redis://user:hu@sh@h": {"host": "h", "password": "hu@sh"},
    "redis://h?username=u&password=hush%26": {"host": "h", "username": "u", "password": "hush&"},
    "redis://[::1]:7000/2": {"host": "::1", "port": 7000, "db": 2},
    "redis://:hush@[2001:db8::1]": {"host": "2001:db8::1", "port": 6379, "password": "hush"},
    "redis://h?socket_timeout=2.5&max_connections=7&client_name=shop&health_check_interval=5": {
        "socket_timeout": 2.5,
        "max_connections": 7,
        "client_name": "shop",
        "health_check_interval": 5,
    },
    "redis://h?socket_connect_timeout=1&socket_keepalive=no&protocol=2": {
        "socket_connect_timeout": 1,
        "socket_keepalive": False,
        "protocol": 2,
    },
    "rediss://h": {"host": "h", "port": 6379, "kind": SSLConnection},
    "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false&ssl_ca_certs=/etc/ca.pem": {
        "kind": SSLConnection,
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
        "ssl_ca_certs": "/etc/ca.pem",
    },
    "unix:///run/redis.sock": {"path": "/run/redis.sock", "db": 0, "kind": UnixDomainSocketConnection},
    "unix:///run/redis.sock?socket_keepalive=1": {"path": "/run/redis.sock", "socket_keepalive": None},
    "unix:///run/my%20redis.sock?db=1": {"path": "/run/my redis.sock", "db": 1},
    "unix:///run/my redis.sock?db=1&password=hush": {"path": "/run/my redis.sock", "db": 1, "password": "hush"},
    "unix://user:hush@/run/redis.sock": {"path": "/run/redis.sock", "username": "user", "password": "hush"},
}

REFUSED = {
    "hush": "begin it with",
    "localhost:6379": "begin it with",
    "http://:hush@h": "begin it with",
    "redis:h": "begin it with",
    "redis:/h": "begin it with",
    "redis+sentinel://h/mymaster": "begin it with",
    "redis://h:0": "has a port",
    "redis://h:70000": "has a port",
    "redis://h:port": "redis://user:password@host:6379/0",
    "redis://::1:6379": "redis://user:password@host:6379/0",
    "redis://[::1:6379": "redis://user:password@host:6379/0",
    "redis://a:1,b:2": "redis://user:password@host:6379/0",
    "redis://a,b": "redis://user:password@host:6379/0",
    "redis://a b": "redis://user:password@host:6379/0",
    "redis://h/hush": "redis://user:password@host:6379/0",
    "redis://h/-1": "redis://user:password@host:6379/0",
    "redis://h/1/2": "redis://user:password@host:6379/0",
    "redis://h/٣": "redis://user:password@host:6379/0",
    f"redis://h/{'1' * 5000}": "redis://user:password@host:6379/0",
    "redis://h?db=hush": "db that has to be",
    "redis://h/1?db=2": "two databases",
    "redis://h\n/1": "on one line",
    "redis://h/\x001": "on one line",
    "redis://user:hu/sh@h": "%2F",
    "redis://user:12/hush@h": "%2F",
    "redis://user:12?hush@h": "%3F",
    "redis://user:12?hush=1@h": "no option of that name",
    "redis://user:12#hush@h": "%23",
    "redis://:hush#1@h": "%23",
    "redis://:hush%ff@h": "UTF-8",
    "redis://h?socket_timeout=nan": "seconds",
    "redis://h?socket_timeout=-1": "seconds",
    "redis://h?max_connections=many": "whole number",
    "redis://h?protocol=3": "RESP2",
    "redis://h?decode_responses=1": "no option 'decode_responses'",
    "redis://h?ssl_cert_reqs=none": "no option 'ssl_cert_reqs'",
    "rediss://h?ssl_cert_reqs=hush": "none, optional or required",
    "unix://": "unix:///run/redis/redis.sock",
    "unix://run/redis.sock": "unix:///run/redis/redis.sock",
}  # fmt: skip


def _settings(url: str) -> str:
    return Settings.from_env({"REDIS_URL": url, "DATA_DIR": "/nonexistent", "SECRET_KEY": "x" * 16}).redis_url


async def _connected(url: str) -> ConnectionPool:
    async with connect(url) as redis:
        return redis.connection_pool


DOORS: dict[str, Callable[[str], ConnectionPool]] = {
    "JobsRedis.at": lambda url: JobsRedis.at(url).connection_pool,
    "connect": lambda url: asyncio.run(_connected(url)),
    "worker_settings": lambda url: worker_settings(redis_url=url).redis_pool.connection_pool,  # type: ignore[attr-defined]
    "commands": lambda url: Target(None, url, True).open()[0].connection_pool,
    "settings": lambda url: RedisURL.read(_settings(url)).pool(),
    "monitor_app": lambda url: monitor_app(url).extensions["options"].redis.connection_pool,
    "the site's limits": lambda url: RateLimits(url, "")._redis.connection_pool,
}

each_door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@each_door
def test_each_form_means_the_same_at_every_door(door: Callable[[str], ConnectionPool]) -> None:
    for url, means in TAKEN.items():
        pool = door(url)

        known = {**pool.connection_kwargs, "kind": pool.connection_class, "max_connections": pool.max_connections}
        assert {name: known.get(name) for name in means} == means, url
        pool.connection_class(**pool.connection_kwargs)  # takes all of it
        assert SECRET not in repr(pool)


@each_door
def test_what_is_no_address_is_refused_at_every_door_in_one_sentence_without_its_password(
    door: Callable[[str], ConnectionPool],
) -> None:
    for url, why in REFUSED.items():
        with pytest.raises((BadRedisURL, SettingsError, click.UsageError)) as refusal:
            door(url)

        assert why in str(refusal.value), url
        assert SECRET not in "".join(traceback.format_exception(refusal.value)), url


def test_arqs_own_connections_go_to_the_same_redis() -> None:
    """`arq --check` uses them."""
    for url in TAKEN:
        here, arqs = RedisURL.read(url), worker_settings(redis_url=url).redis_settings  # type: ignore[attr-defined]
        given = here.pool().connection_kwargs
        assert arqs.unix_socket_path == given.get("path")
        assert (arqs.host, arqs.port, arqs.database) == (
            given.get("host", "localhost"),
            given.get("port", 6379),
            given["db"],
        )
        assert (arqs.username, arqs.password) == (given.get("username"), given.get("password"))
        assert arqs.ssl == url.startswith("rediss:")
        assert SECRET not in repr(arqs) + repr(here)


@pytest.mark.parametrize("url", [None, 6379, b"redis://h", ""])
def test_what_is_no_text_is_refused(url: Any) -> None:
    with pytest.raises(BadRedisURL, match=r"begin it with"):
        RedisURL.read(url)


def test_nothing_else_reads_an_address() -> None:
    """A door that is added later has to use the one reader."""
    for part in ("jobs", "app"):
        for path in (ROOT / part).rglob("*.py"):
            if path.name != "redis_url.py":
                assert not re.search(r"\.from_url\(|from_dsn\(|parse_url\(", path.read_text()), path
