"""Fixtures of the web application: settings of their own, a migrated database, the running app.

Whatever uses a database runs on SQLite. What is marked `both_databases("why")` runs on Postgres, too, and what is
marked `postgres_alone` there only.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from jinja2 import FileSystemBytecodeCache
from quart import Quart

from app import create_app
from app.database import Database
from app.migrations import upgrade
from settings import Settings
from tests.app.browsing import served
from tests.app.visitor import Visitor
from tests.browser import browser
from tests.compiled_routes import compiled_once
from tests.postgres_server import PostgresServer
from tests.redis_server import RedisServer
from tests.smtp_server import SmtpServer, smtp_server

__all__ = ["browser", "compiled_once", "served"]

TEMPLATES = FileSystemBytecodeCache(pattern="quarq_at_once_%s")  # asynchronous ones are other code
"""To compile them for each test would be a fifth of all the time."""
EMPTY = """
DO $$ DECLARE name text; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'site' AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;  -- in any order: no foreign key is looked at
    FOR name IN SELECT quote_ident(tablename) FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
    FOR name IN SELECT quote_ident(sequencename) FROM pg_sequences
        WHERE schemaname = 'public' LOOP EXECUTE 'ALTER SEQUENCE ' || name || ' RESTART'; END LOOP;
END $$;
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        kinds = ["sqlite"]
        if metafunc.definition.get_closest_marker("postgres_alone"):
            kinds = ["postgres"]
        elif mark := metafunc.definition.get_closest_marker("both_databases"):
            [_why] = mark.args
            kinds = ["sqlite", "postgres"]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The run's Postgres, with a migrated database `site`. A test that kills its server starts one of its own."""
    server = PostgresServer().start()
    server.run("createdb", "site")
    migrate(server.url("site"), tmp_path_factory.mktemp("unused"))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def empty_postgres(postgres_server: PostgresServer) -> Iterator[Callable[[], object]]:
    """What ends every session and removes every row of the database `site`, on one connection for the whole run."""
    with asyncio.Runner() as runner:
        connecting = asyncpg.connect(host=str(postgres_server.folder), user="quarq", database="site")
        connection = runner.run(connecting)
        yield lambda: runner.run(connection.execute(EMPTY))
        runner.run(connection.close())


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database to copy: to migrate anew costs as much as half of a small test."""
    file = tmp_path_factory.mktemp("migrated") / "site.db"
    migrate(f"sqlite+aiosqlite:///{file}", file.parent)
    return file


def migrate(url: str, folder: Path) -> None:
    asyncio.run(upgrade(Settings(data_dir=folder, database_url=url)))


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The database of this test, migrated, with nothing in it."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path / "site.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/site.db"
        return
    empty = request.getfixturevalue("empty_postgres")
    yield request.getfixturevalue("postgres_server").url("site")
    empty()


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, database_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path, redis_url=redis_url, database_url=database_url, secret_key="only for tests, 32 characters"
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
async def smtp() -> AsyncIterator[SmtpServer]:
    """A mail server. `mailing(settings, smtp)` are the settings of a site that uses it."""
    async with smtp_server() as server:
        yield server


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


@pytest.fixture
async def lonely(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> AsyncIterator[Visitor]:
    """Alice, at a site whose Redis dies after she has signed in."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    app = create_app(replace(settings, redis_url=server.url))
    async with app.test_app():
        alice = Visitor(app)
        await alice.sign_in()
        server.kill9()
        yield alice
