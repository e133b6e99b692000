"""docs/deploy.md: its settings are accepted, its units start what exists, its commands do what it says."""

from __future__ import annotations

import asyncio
import configparser
import importlib.util
import os
import re
import shlex
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError

from app.accounts.models import Account
from app.database import Database
from app.migrations import upgrade
from app.playground.tasks import multiply
from app.reminders.models import Reminder
from jobs import connect, group
from settings import ROOT, Settings
from tests.app.running_site import free_port
from tests.postgres_server import PostgresServer, programs
from tests.redis_server import server_binary
from tests.site import site
from tests.waiting import wait_until

PAGE = (ROOT / "docs" / "deploy.md").read_text()
HARDENED = (
    *("LockPersonality", "NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProtectClock", "ProtectControlGroups"),
    *("ProtectHome", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables"),
    *("RemoveIPC", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"),
)  # fmt: skip
"""With these `systemd-analyze security` rates both units 1.7, OK."""


def fences(language: str, section: str = "") -> list[str]:
    """The blocks of this language, in the whole page or below one heading."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0] if section else PAGE
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(command: str, folder: Path, **environment: str) -> None:
    """Type it in; /var and the virtual environment are where this test has them."""
    here = command.replace("/var/", f"{folder}/").replace("/srv/quarq/.venv/bin/python", sys.executable)
    done = subprocess.run(
        here, shell=True, env=os.environ | environment, capture_output=True, text=True, executable="/bin/bash"
    )
    assert done.returncode == 0, f"{here}: {done.stderr}"


def environment_file() -> dict[str, str]:
    [text] = fences("ini")
    return dict(line.split("=", 1) for line in text.splitlines())


def test_the_settings_are_accepted(tmp_path: Path) -> None:
    given = environment_file()
    settings = Settings.from_env(given | {"DATA_DIR": str(tmp_path)})

    assert {name.lower() for name in given} <= set(Settings.__dataclass_fields__)
    assert settings.database_url == "postgresql+asyncpg://quarq:change-me@127.0.0.1/quarq"
    assert not settings.embedded_mail
    assert not settings.embedded_redis


@pytest.mark.parametrize("unit", fences("systemd"), ids=["web", "worker"])
def test_a_unit_starts_what_exists_as_somebody_who_may_little(unit: str) -> None:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(unit)
    service = parser["Service"]
    program, *words = shlex.split(service["ExecStart"])
    module = words[1] if words[0] == "-m" else words[0].rpartition(".")[0]

    assert program.startswith("/srv/quarq/.venv/bin/")
    assert (ROOT / f"{module.replace('.', '/')}.py").exists()
    assert service["EnvironmentFile"] == "/etc/quarq.env"
    assert service["User"] == "quarq"
    assert service["ReadWritePaths"] == environment_file()["DATA_DIR"]
    for switch in HARDENED:
        assert service[switch] == "yes", switch
    assert (service["ProtectSystem"], service["ProtectProc"], service["ProcSubset"]) == ("strict", "invisible", "pid")
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ""
    assert service["SystemCallArchitectures"] == "native"
    assert service["SystemCallFilter"] == "@system-service"
    assert service["UMask"] == "0077"
    assert int(service["TimeoutStopSec"]) >= (40 if module == "worker" else 20)


def test_every_module_that_a_command_runs_exists() -> None:
    for module in re.findall(r"python -m ([a-z.]+)", PAGE):
        assert importlib.util.find_spec(module) is not None, module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is /var on a server."""
    for name in ("lib/quarq", "backups/quarq"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


async def write_account(database: Database) -> None:
    async with database.session() as db:
        db.add(Account(email="alice@example.org", timezone="UTC", created_at=datetime.now(UTC)))
        await db.commit()


async def accounts(settings: Settings) -> int:
    database = Database(settings.database_url)
    async with database.session() as db:
        count = len((await db.execute(Account.__table__.select())).all())
    await database.close()
    return count


async def test_sqlite_is_backed_up_while_the_site_runs_and_restored(folder: Path) -> None:
    settings = Settings(data_dir=folder / "lib/quarq", secret_key="only for tests, long")
    await upgrade(settings)
    database = Database(settings.database_url)
    await write_account(database)
    back_up, restore = fences("sh", "Back up")[0], fences("sh", "Restore")[0]

    async with database.transaction() as db:  # somebody writes at that moment
        db.add(Account(email="late@example.org", timezone="UTC", created_at=datetime.now(UTC)))
        await db.flush()
        await asyncio.to_thread(run, back_up, folder)
    await database.close()
    [copy] = (folder / "backups/quarq").glob("site.db")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    (settings.data_dir / "site.db").write_bytes(b"spoilt")
    run(restore, folder)

    with closing(sqlite3.connect(settings.data_dir / "site.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert await accounts(settings) == 1


async def test_postgres_is_backed_up_and_restored(folder: Path) -> None:
    server = PostgresServer().start()
    try:
        server.run("createdb", "quarq")
        settings = Settings(data_dir=folder, database_url=server.url("quarq"), secret_key="only for tests, long")
        await upgrade(settings)
        database = Database(settings.database_url)
        await write_account(database)
        await database.close()
        environment = {"PATH": f"{programs()}:{os.environ['PATH']}", "PGHOST": str(server.folder), "PGUSER": "quarq"}

        await asyncio.to_thread(run, fences("sh", "Back up")[1], folder, **environment)
        server.run("psql", "--dbname", "quarq", "--command", "DROP TABLE account CASCADE")
        await asyncio.to_thread(run, fences("sh", "Restore")[1], folder, **environment)

        assert await accounts(settings) == 1
        await upgrade(settings)
    finally:
        server.remove()


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[str]:
    """A Redis with the settings of the page; the address of the site's user."""
    port = free_port()
    [config] = fences("redis")
    (tmp_path / "redis.conf").write_text(f"{config}\nport {port}\ndir {tmp_path}\n")
    process = subprocess.Popen([server_binary(), tmp_path / "redis.conf"], stdout=subprocess.DEVNULL)
    operator = Redis.from_url(f"redis://operator:change-me-too@127.0.0.1:{port}")

    async def answers() -> bool:
        try:
            return bool(await operator.ping())
        except ConnectionError:
            return False

    await wait_until(answers, "Redis")
    yield f"redis://quarq:change-me@127.0.0.1:{port}/0"
    await operator.aclose()
    process.terminate()
    process.wait(10)


async def test_the_site_s_redis_user_can_do_no_harm(guarded: str) -> None:
    client = Redis.from_url(guarded)
    for command in ("FLUSHALL", "CONFIG GET *", "KEYS *", "SHUTDOWN", "MODULE LIST", "ACL LIST",
                    "REPLICAOF NO ONE", "SET elsewhere 1", "GET elsewhere"):  # fmt: skip
        with pytest.raises(NoPermissionError):
            await client.execute_command(*command.split())
    await client.aclose()
    stranger = Redis.from_url(re.sub(r"//.*@", "//", guarded))
    with pytest.raises(AuthenticationError):
        await stranger.ping()
    await stranger.aclose()


@pytest.mark.timeout(90)
async def test_the_site_s_redis_user_can_do_all_its_work(guarded: str) -> None:
    """Pages, workers, workflows, reminders and the command line."""
    async with site(guarded) as here:
        with here.process("app.serve"), here.process("arq", "worker.WorkerSettings"):
            async with here.browser() as browser:

                async def ready() -> bool:
                    return (await browser.get("/readyz")).status_code == 200

                await wait_until(ready, "all that it needs", timeout_s=20)
                async with here.database.session() as db:
                    db.add(Reminder(date=datetime.now(UTC), email="alice@example.org", text="Tea"))
                    await db.commit()
                await wait_until(lambda: here.smtp.accepted, "the reminder", timeout_s=30)
            async with here.browser(here.settings.owner_email) as owner:
                for path in ("monitor/", "monitor/broker", "monitor/jobs", "monitor/workers", "metrics", "digest/"):
                    assert (await owner.get(path)).status_code == 200, path
            async with connect(guarded):
                products = await group(multiply.s(n, n) for n in range(4)).delay()
                assert await products.get(timeout=20) == [0, 1, 4, 9]
            for words in ("status", "inspect active", "inspect registered", "purge -f", "workflows"):
                done = await asyncio.to_thread(
                    subprocess.run,
                    [sys.executable, "-m", "jobs", "--redis-url", guarded, *words.split()],
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                )
                assert "NOPERM" not in done.stdout + done.stderr, words
        assert "NOPERM" not in (here.settings.data_dir / "log").read_text()
