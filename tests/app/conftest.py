"""Fixtures of the web application: settings of their own, a migrated database, the running app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from quart import Quart

from app import create_app
from app.database import Database
from app.migrations import upgrade
from settings import Settings
from tests.app.visitor import Visitor


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(data_dir=tmp_path, redis_url=redis_url, secret_key="only for tests, 32 characters")


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
