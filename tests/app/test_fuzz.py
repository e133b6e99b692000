"""Whatever is sent to whatever route: an answer, and never a fault of ours. `make chaos CHAOS=w4` sends far more."""

from __future__ import annotations

from random import Random

import pytest

from settings import Settings
from tests.app.fuzzing import batter, families, people
from tests.app.web_server import serving
from tests.site import site


@pytest.mark.timeout(120)
@pytest.mark.both_databases("every route runs once on Postgres, too")
async def test_whatever_is_sent_is_no_fault(settings: Settings) -> None:
    """To each feature, by its owner, by somebody who has an account, by a stranger."""
    asked = {"smtp_server": "", "smtp_from": "", "trusted_proxies": 1, "database_url": settings.database_url}
    async with site(settings.redis_url, **asked) as here, serving(here) as server:
        everybody, routes = await people(server), await families(server)
        for feature in routes:
            outcome = await batter(server, routes[feature], everybody, 60, Random(feature))

            assert outcome.faults == []
            shows = any(route.method == "GET" for route in routes[feature])
            assert outcome.statuses[200 if shows else 303], (feature, outcome.statuses)
        assert "Traceback" not in server.log, server.log
