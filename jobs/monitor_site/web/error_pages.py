"""The pages for errors."""

from __future__ import annotations

import logging
from typing import Any

from quart import Quart, current_app, has_request_context, render_template, request
from quart.typing import ResponseReturnValue
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from ...errors import QueueUnavailable
from .messages import Message

logger = logging.getLogger("jobs.monitor_site")

# Title and sentence of each error. `abort(403, "why")` replaces the sentence.
ERRORS = {
    400: ("Bad request", "The server cannot read this request. Go back and try again."),
    403: ("Not allowed", "You cannot open this page, or the form was not sent from this site."),
    404: ("Not found", "This page does not exist, or it is not yours."),
    405: ("Method not allowed", "This address accepts only forms."),
    408: ("Request timeout", "The request took too long to arrive. Try again."),
    413: ("Too large", "The request is too large. Shorten it and try again."),
    429: ("Too many requests", "Too many requests. Wait a little and try again."),
    500: ("Server error", "Something went wrong on the server. The error has been logged. Try again in a minute."),
    503: ("Temporarily unavailable", "A part of the site is not responding. Try again in a minute."),
}

REDIS_AWAY = Message("redis-away", "Redis is not responding, and this page needs it. Try again in a minute.")


def prepare(app: Quart, *unavailable: type[Exception]) -> None:
    """Give every error of *app* its page, `error.html`, and log faults. *unavailable*: what else says Redis is away."""
    app.register_error_handler(HTTPException, _http_error)
    kinds: list[type[Exception]] = [QueueUnavailable, RedisError, *unavailable]
    for kind in kinds:
        app.register_error_handler(kind, _redis_error)
    app.register_error_handler(500, _fault)
    app.log_exception = _log_fault  # type: ignore[method-assign]


async def error_page(code: int, sentence: str | None = None, detail: str = "") -> ResponseReturnValue:
    """The page for this status. *sentence* says what is wrong and what to do. Only the owner sees *detail*.

    `extensions["error_answer"]` of the application may answer something else.
    """
    title, standard = ERRORS.get(code, ERRORS[500 if code >= 500 else 400])
    if answer := current_app.extensions.get("error_answer", lambda *_: None)(code, sentence, standard):
        return answer  # type: ignore[no-any-return]
    words = {"code": code, "title": title, "sentence": sentence or standard, "detail": detail}
    return await render_template("error.html", **words), code


async def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:  # of `abort(response)`
        return error.response  # type: ignore[return-value]  # Quart's own, in truth
    if error.code is None or error.code < 400:
        return error.get_response()  # in Werkzeug's class
    own_words = error.description if error.description != type(error).description else None
    return await error_page(error.code, own_words)


async def _redis_error(error: Exception) -> ResponseReturnValue:
    logger.error("a page failed, Redis is unavailable: %s", error)
    return await error_page(503, REDIS_AWAY, detail=str(error))


async def _fault(error: Exception) -> ResponseReturnValue:
    return await error_page(500)


def _log_fault(exception_info: Any) -> None:
    """Log the rule of the route, not the path, which may be a mailed link."""
    what = f"{request.method} {request.url_rule}" if has_request_context() else "a background task"
    logger.error("%s failed", what, exc_info=exception_info)
