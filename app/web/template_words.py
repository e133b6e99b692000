"""The variables and filters of every template."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from quart import Quart, g

from app.context import site
from app.mail import address
from jobs.monitor_site.web import moments

MONITOR = "/monitor"
"""Where the monitor is mounted."""


def prepare(app: Quart) -> None:
    """Add the variables and filters to *app*. The accounts add `is_owner`."""
    has_page = app.view_functions.__contains__

    @app.context_processor
    async def words() -> dict[str, object]:
        return {"site": site(), "account": g.get("account"), "has_page": has_page, "monitor_url": monitor_url}

    app.jinja_env.filters["readable_address"] = address.shown
    app.jinja_env.filters["spelled"] = lambda at: moments.spelled(at, reader_zone())
    app.jinja_env.filters["clock"] = lambda at: moments.clock(at, reader_zone())
    app.jinja_env.filters["day"] = lambda at: moments.day(at, reader_zone())
    app.jinja_env.filters["distance"] = lambda at: moments.distance(at, datetime.now(UTC))


def monitor_url(page: str = "", **query: str) -> str:
    """The address of a page of the monitor."""
    return f"{MONITOR}/{page}{'?' * bool(query)}{urlencode(query)}"


def reader_zone() -> ZoneInfo:
    """The time zone of the signed-in account, or the site's."""
    account = g.get("account")
    return ZoneInfo(account.timezone if account else site().timezone)
