"""The application as measurements and fault scenarios use it: its processes, a mail server, a signed-in browser."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.accounts.links import sign_in_link
from app.database import Database
from app.migrations import upgrade
from settings import ROOT, Settings
from tests.app.running_site import environment, free_port
from tests.smtp_server import SmtpServer, smtp_server
from tests.waiting import wait_until

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class Site:
    """One site in a folder of its own. `settings` are what its processes are started with."""

    settings: Settings
    database: Database
    smtp: SmtpServer

    @property
    def environment(self) -> dict[str, str]:
        """The site's settings, for its processes."""
        return environment(
            self.settings.data_dir,
            PORT=str(self.settings.port),
            REDIS_URL=self.settings.redis_url,
            DATABASE_URL=self.settings.database_url,
            SECRET_KEY=self.settings.secret_key,
            TRUSTED_PROXIES=str(self.settings.trusted_proxies),
            SMTP_SERVER=self.settings.smtp_server,
            SMTP_PORT=str(self.settings.smtp_port),
            SMTP_USER=self.settings.smtp_user,
            SMTP_PASSWORD=self.settings.smtp_password,
            SMTP_TLS=self.settings.smtp_tls,
            SMTP_FROM=self.settings.smtp_from,
            DIGEST_RATE=str(self.settings.digest_rate),
            LOG_LEVEL=self.settings.log_level,
            METRICS_TOKEN=self.settings.metrics_token,
        )

    @contextmanager
    def process(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """`python -m <command>` with the site's settings, until the block ends."""
        with open(self.settings.data_dir / "log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    @asynccontextmanager
    async def browser(self, email: str = "alice@example.org") -> AsyncIterator[httpx.AsyncClient]:
        """Signed in, once the web server answers."""
        async with httpx.AsyncClient(base_url=self.settings.base_url, timeout=30) as client:
            await wait_until(lambda: self._answers(client), "the site to answer", timeout_s=30)
            link = urlsplit(await sign_in_link(self.settings, email)).path
            found = TOKEN.search((await client.get(link)).text)
            assert found is not None
            form = {"csrf_token": found[1], "timezone": "Europe/Berlin"}
            assert (await client.post(link, data=form)).status_code == 303
            yield client

    async def signed_in(self) -> str:
        """The cookie of a browser that has signed in."""
        async with self.browser() as browser:
            return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get("/")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def site(redis_url: str, **changed: Any) -> AsyncIterator[Site]:
    """A site with nothing in it; nothing of it runs yet but the mail server, in this process."""
    with tempfile.TemporaryDirectory(prefix="quarq-site-") as folder:
        async with smtp_server() as smtp:
            known = {
                "data_dir": Path(folder),
                "port": free_port(),
                "redis_url": redis_url,
                "secret_key": "only for measurements",
                "smtp_server": "127.0.0.1",
                "smtp_port": smtp.port,
                "smtp_tls": "none",
                "smtp_from": "quarq@example.org",
                "log_level": "WARNING",
            }
            settings = Settings(**(known | changed))
            await upgrade(settings)
            database = Database(settings.database_url)
            try:
                yield Site(settings, database, smtp)
            finally:
                await database.close()
