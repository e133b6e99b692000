"""What all pages share: the words every template knows, and the page shown when something is wrong."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from quart import Quart, g, has_request_context, render_template, request
from quart.typing import ResponseReturnValue
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException

from app import times
from app.accounts.access import is_owner
from app.context import site
from app.mail import address
from app.messages import Message
from app.web.rate_limits import RateLimitsUnavailable
from jobs import QueueUnavailable

logger = logging.getLogger(__name__)

# Title and sentence of each error; an `abort(403, "why")` brings its own sentence.
ERRORS = {
    400: ("Not understood", "The browser sent something that this page cannot read. Go back and try again."),
    403: ("Not allowed", "This page is not for you, or the form was not sent from this site."),
    404: ("Nothing here", "There is no such page, or it is not yours."),
    405: ("Not like this", "This address does something only when a form is sent to it."),
    408: ("Too slow", "What was sent took too long to arrive. Try again."),
    413: ("Too large", "What was sent is larger than this page takes. Shorten it and try again."),
    429: ("Too often", "This was asked for too often. Wait a little and try again."),
    500: ("Our fault", "Something went wrong here, and it has been logged. Try again in a minute."),
    503: ("Back in a moment", "A part of the site does not answer right now. Try again in a minute."),
}


DATABASE_AWAY = Message(
    "database-away", "The database does not answer right now. Nothing was changed. Try again in a minute."
)
REDIS_AWAY = Message(
    "redis-away", "Redis does not answer right now, and this page needs it. Try again in a minute."
)


def prepare(app: Quart) -> None:
    """Give every template its words, and every error its page."""

    has_page = app.view_functions.__contains__

    @app.context_processor
    async def words() -> dict[str, object]:
        account = g.get("account")
        return {"site": site(), "account": account, "is_owner": is_owner(account), "has_page": has_page}

    app.jinja_env.filters["readable_address"] = address.shown
    app.jinja_env.filters["spelled"] = lambda at: times.spelled(at, reader_zone())
    app.jinja_env.filters["day"] = lambda at: times.day(at, reader_zone())
    app.jinja_env.filters["distance"] = lambda at: times.distance(at, datetime.now(UTC))

    @app.errorhandler(HTTPException)
    async def http_error(error: HTTPException) -> ResponseReturnValue:
        if isinstance(error, RoutingException) or error.code is None or error.code < 400:
            return error.get_response()  # a redirect, in Werkzeug's class
        own_words = error.description if error.description != type(error).description else None
        return await error_page(error.code, own_words)

    @app.errorhandler(OperationalError)
    async def database_error(error: OperationalError) -> ResponseReturnValue:
        logger.error("the database failed a page: %s", error.orig)
        return await error_page(503, DATABASE_AWAY)

    @app.errorhandler(QueueUnavailable)
    @app.errorhandler(RateLimitsUnavailable)
    @app.errorhandler(RedisError)
    async def redis_error(error: Exception) -> ResponseReturnValue:
        logger.error("Redis failed a page: %s", error)
        reason = f" ({error})" if is_owner(g.get("account")) else ""
        return await error_page(503, Message(REDIS_AWAY.code, REDIS_AWAY + reason))

    def log_fault(exception_info: Any) -> None:
        """With the rule of its address, not the address: that may be a mailed link."""
        what = f"{request.method} {request.url_rule}" if has_request_context() else "a background task"
        logger.error("%s failed", what, exc_info=exception_info)

    app.log_exception = log_fault  # type: ignore[method-assign]

    @app.errorhandler(500)
    async def fault(error: Exception) -> ResponseReturnValue:
        return await error_page(500)


def reader_zone() -> ZoneInfo:
    """The time zone of the account that looks; of a stranger, the site's."""
    account = g.get("account")
    return ZoneInfo(account.timezone if account else site().timezone)


async def error_page(code: int, sentence: str | None = None) -> ResponseReturnValue:
    """The page for this status; in one sentence what is wrong and what to do."""
    title, standard = ERRORS.get(code, ERRORS[500 if code >= 500 else 400])
    page = await render_template("error.html", code=code, title=title, sentence=sentence or standard)
    return page, code
