"""Fixtures of the web application: settings of their own, a migrated database, the running app.

Whatever uses a database runs on SQLite and on Postgres, unless it is marked `one_database` or needs a browser: then on
SQLite alone, or on the one that the mark names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from jinja2 import FileSystemBytecodeCache
from quart import Quart

from app import create_app
from app.database import Database
from app.migrations import upgrade
from settings import ROOT, Settings
from tests.app.visitor import Visitor
from tests.postgres_server import PostgresServer

TEMPLATES = FileSystemBytecodeCache()  # to compile them for each test would be a fifth of all the time
EMPTY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'site' AND pid <> pg_backend_pid();
DO $$ BEGIN EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY CASCADE'
    FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
); END $$;
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        kinds = ["sqlite", "postgres"]
        mark = metafunc.definition.get_closest_marker("one_database")
        if mark or "browser" in metafunc.fixturenames:
            kinds = list(mark.args if mark and mark.args else ["sqlite"])
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The run's Postgres, with a migrated database `site`. A test that kills its server starts one of its own."""
    server = PostgresServer().start()
    server.run("createdb", "site")
    migrate(server.url("site"))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database to copy: to migrate anew costs as much as half of a small test."""
    file = tmp_path_factory.mktemp("migrated") / "site.db"
    migrate(f"sqlite+aiosqlite:///{file}")
    return file


def migrate(url: str) -> None:
    migrations = [sys.executable, "-m", "app.migrations"]
    subprocess.run(migrations, cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The database of this test, migrated, with nothing in it."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path / "site.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/site.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    yield server.url("site")
    server.run("psql", "--dbname", "site", "--quiet", "--command", EMPTY)


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, database_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path,
        redis_url=redis_url,
        database_url=database_url,
        secret_key="only for tests, 32 characters",
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The migrated, empty database of this test."""
    await upgrade(settings)
    database = Database(settings.database_url)
    yield database
    await database.close()


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Quart]:
    """The web application, started as the server starts it."""
    app = create_app(settings)
    app.jinja_env.bytecode_cache = TEMPLATES
    async with app.test_app():
        yield app


@pytest.fixture
def visitor(app: Quart) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(app)


@pytest.fixture
async def alice(app: Quart) -> Visitor:
    """alice@example.org, signed in, in Berlin."""
    visitor = Visitor(app)
    await visitor.sign_in("alice@example.org")
    return visitor


@pytest.fixture
async def charlie(app: Quart) -> Visitor:
    """charlie@example.org, signed in, who may see nothing of Alice's."""
    visitor = Visitor(app)
    await visitor.sign_in("charlie@example.org")
    return visitor


@pytest.fixture
async def owner(app: Quart) -> Visitor:
    """The owner of the site, signed in."""
    visitor = Visitor(app)
    await visitor.sign_in(app.extensions["settings"].owner_email)
    return visitor
