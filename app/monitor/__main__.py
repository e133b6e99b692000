"""`python -m app.monitor --redis-url redis://...`: the monitor of any Redis with Quarq's jobs, on this machine."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from app import logs
from app.embedded.processes import StartError
from app.embedded.supervisor import require_free_port
from app.monitor.alone import create_alone
from jobs.monitor_site.web.server import run
from settings import Settings, SettingsError, is_loopback


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m app.monitor", description=__doc__)
    address = parser.add_mutually_exclusive_group()
    address.add_argument("--redis-url", help="redis://, rediss:// or unix://; the variable REDIS_URL if not given")
    address.add_argument(
        "--redis-url-file", type=Path, help="the same, from a file: a password in the URL shows in no list of processes"
    )
    parser.add_argument("--port", default="8001", help="8001 if not given")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address of this machine that browsers use; others than 127.0.0.1 are open to your network",
    )
    return parser.parse_args(arguments)


def find_redis_url(options: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """The URL of Redis, from the command line, a file or the environment."""
    if options.redis_url_file:
        try:
            return str(options.redis_url_file.read_text(encoding="utf-8")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--redis-url-file {options.redis_url_file} cannot be read: {error}") from error
    url = options.redis_url or environ.get("REDIS_URL", "")
    if not url:
        raise SettingsError("Which Redis? Give --redis-url, --redis-url-file or the variable REDIS_URL")
    return str(url)


def settings_of(redis_url: str, host: str, port: str) -> Settings:
    """Settings that need nothing else: a key for this process, and a mail server, so that no mail catcher is needed."""
    given = {
        "REDIS_URL": redis_url,
        "HOST": host,
        "PORT": port,
        "BASE_URL": "" if is_loopback(host) else f"http://{f'[{host}]' if ':' in host else host}:{port}",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SITE_NAME": "Quarq monitor",
        "SMTP_SERVER": "none",
        "SMTP_FROM": "nobody@localhost",
        "TRACE_URL": os.environ.get("TRACE_URL", ""),
    }
    return Settings.from_env(given)


def main() -> None:
    """Serve until Ctrl-C."""
    options = parse_arguments()
    settings = settings_of(find_redis_url(options, os.environ), options.host, options.port)
    logs.configure("WARNING", "text")
    require_free_port(settings)
    app = create_alone(settings)
    if not is_loopback(settings.host):
        print(f"Warning: everybody who reaches {settings.host} can read along: this is HTTP, not HTTPS.")
    link = f"{settings.base_url}/sign-in/{app.extensions['door'].link}"
    print(f"The monitor opens with this link, once: {link}", flush=True)
    asyncio.run(run(app, settings.host, settings.port))


if __name__ == "__main__":
    try:
        main()
    except (SettingsError, StartError) as error:
        sys.exit(str(error))
