"""What arq's conftest asks of testcontainers, answered with the server that run.py started."""

from __future__ import annotations

import os


class RedisContainer:
    """Stands where a Docker container is expected. `flushall` in arq's fixtures empties this server only."""

    port = 6379

    def __init__(self, image: str) -> None:
        self._port = int(os.environ["ARQ_SUITE_REDIS_PORT"])

    def __enter__(self) -> RedisContainer:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def get_container_host_ip(self) -> str:
        return "127.0.0.1"

    def get_exposed_port(self, _port: int) -> int:
        return self._port
