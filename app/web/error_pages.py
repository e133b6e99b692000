"""The pages for errors, of the site's database too."""

from __future__ import annotations

import logging

from quart import Quart
from quart.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError

from app.web.rate_limits import RateLimitsUnavailable
from jobs.monitor_site.web import error_pages
from jobs.monitor_site.web.messages import Message

logger = logging.getLogger(__name__)

DATABASE_AWAY = Message("database-away", "The database is not responding. Nothing was changed. Try again in a minute.")


def prepare(app: Quart) -> None:
    """Give every error of *app* its page, and log faults of the site."""
    error_pages.prepare(app, RateLimitsUnavailable)
    app.register_error_handler(OperationalError, _database_error)


async def _database_error(error: OperationalError) -> ResponseReturnValue:
    logger.error("a page failed, the database is unavailable: %s", error.orig)
    return await error_pages.error_page(503, DATABASE_AWAY)
