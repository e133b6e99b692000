"""The server that is measured: that of `make run`, one at a path, or one that is built with jemalloc.

Official images and Debian's packages are built with it. The Valkey of `make run` is not, and a job costs it more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.subjects import ROOT
from tests.redis_server import server_binary

JEMALLOC = "jemalloc"
CACHE = ROOT / ".cache" / "jemalloc-server"
PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")
"""Of Debian 12. They are unpacked, not installed."""


class Unavailable(Exception):
    """There is no such server here. The text says why."""


@dataclass(frozen=True)
class Server:
    """A program, and what its environment needs."""

    binary: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def allocator(self) -> str:
        """As it says of itself; empty if it does not start."""
        environment = os.environ | self.environment
        done = subprocess.run([self.binary, "--version"], env=environment, capture_output=True, text=True)
        return found[1] if (found := re.search(r"malloc=(\S+)", done.stdout)) else ""


def named(name: str) -> Server:
    """By `jemalloc`, a path or, for that of `make run`, nothing."""
    if name == JEMALLOC:
        return next(with_jemalloc([*installed(), *unpacked()]), None) or downloaded()
    return Server(name or server_binary())


def with_jemalloc(servers: list[Server]) -> Iterator[Server]:
    return (server for server in servers if server.allocator.startswith(JEMALLOC))


def installed() -> Iterator[Server]:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Server(found)


def unpacked() -> Iterator[Server]:
    folders = ":".join(str(folder) for folder in CACHE.glob("usr/lib/*-linux-*"))
    for found in CACHE.glob("usr/bin/redis-server"):
        yield Server(str(found), {"LD_LIBRARY_PATH": folders})


def downloaded() -> Server:
    """Debian's, with apt's lists in a folder of its own: nothing of the system changes."""
    if not shutil.which("apt-get"):
        raise Unavailable("none is installed, and there is no apt-get to download Debian's")
    shutil.rmtree(CACHE, ignore_errors=True)
    (CACHE / "lists" / "partial").mkdir(parents=True)
    apt = ["apt-get", "-q", "-o", f"Dir::State::lists={CACHE}/lists", "-o", f"Dir::Cache={CACHE}"]
    apt += ["-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=true"]
    attempt([*apt, "update"])
    attempt([*apt, "download", *PACKAGES])
    for package in CACHE.glob("*.deb"):
        attempt(["dpkg-deb", "--extract", str(package), str(CACHE)])
    if server := next(with_jemalloc([*unpacked()]), None):
        return server
    raise Unavailable(f"none is installed, and that of Debian's packages {', '.join(PACKAGES)} does not start here")


def attempt(command: list[str]) -> None:
    done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=300)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"none is installed, and {command[0]} fails: {reason}")
