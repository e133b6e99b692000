"""`python -m app.monitor --redis-url redis://...`: the monitor of any Redis with Quarq's jobs, on this machine."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys

from app import logs
from app.embedded.processes import StartError
from app.embedded.supervisor import require_free_port
from app.monitor.alone import create_alone
from app.serve import run
from settings import Settings, SettingsError, is_loopback


def asked(arguments: list[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m app.monitor", description=__doc__)
    parser.add_argument("--redis-url", required=True, help="redis://, rediss:// or unix://")
    parser.add_argument("--port", default="8001", help="8001 if not given")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address of this machine that browsers use; others than 127.0.0.1 are open to your network",
    )
    return parser.parse_args(arguments)


def settings_of(redis_url: str, host: str, port: str) -> Settings:
    """Settings that ask for nothing else: a key of this process, and no mail, so none is caught either."""
    given = {
        "REDIS_URL": redis_url,
        "HOST": host,
        "PORT": port,
        "BASE_URL": "" if is_loopback(host) else f"http://{f'[{host}]' if ':' in host else host}:{port}",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SITE_NAME": "Quarq monitor",
        "SMTP_SERVER": "none",
        "SMTP_FROM": "nobody@localhost",
    }
    return Settings.from_env(given)


def main() -> None:
    """Serve until Ctrl-C."""
    options = asked()
    settings = settings_of(options.redis_url, options.host, options.port)
    logs.configure("WARNING", "text")
    require_free_port(settings)
    app = create_alone(settings)
    if not is_loopback(settings.host):
        print(f"Warning: everybody who reaches {settings.host} can read along: this is HTTP, not HTTPS.")
    link = f"{settings.base_url}/sign-in/{app.extensions['door'].link}"
    print(f"The monitor opens with this link, once: {link}", flush=True)
    asyncio.run(run(app, settings))


if __name__ == "__main__":
    try:
        main()
    except (SettingsError, StartError) as error:
        sys.exit(str(error))
