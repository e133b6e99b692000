"""What the API answers: JSON, errors too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quart import Quart, Response, g, request

from ..acting import Outcome
from ..plain_json import plain
from ..web.messages import Message

T = TypeVar("T")
BASE = "/api/v1"
CODES = {
    400: "bad-request", 403: "not-allowed", 404: "not-found", 405: "method-not-allowed", 408: "too-slow",
    413: "too-large", 415: "not-json", 429: "too-many", 500: "fault", 503: "unavailable",
}  # fmt: skip
"""Of errors whose sentence has no code of its own."""
SENTENCES = {
    404: "There is nothing at this address, or it is not yours.",
    405: "This address does not accept this method.",
    500: "Something went wrong on the server. The error has been logged.",
}


@dataclass(frozen=True)
class Rows(Generic[T]):
    """All there are, at once."""

    rows: list[T]


@dataclass(frozen=True)
class Done:
    """What an action did."""

    code: str  # Stays when the sentence is rewritten.
    message: str
    id: str = ""  # The job that runs because of it.
    jobs: int | None = None  # To how many it was done, of what is done to many.
    more: bool = False  # Some are left: ask once more.

    @classmethod
    def of(cls, outcome: Message) -> Done:
        if isinstance(outcome, Outcome):
            return cls(outcome.code, str(outcome), outcome.id, outcome.jobs, outcome.more)
        return cls(outcome.code, str(outcome))


@dataclass(frozen=True)
class Failure:
    code: str  # Stays when the sentence is rewritten.
    message: str  # What is wrong, and what to do.


@dataclass(frozen=True)
class Failed:
    """Why something failed, or was refused."""

    error: Failure


def answer(value: Any, status: int = 200) -> Response:
    # a lone surrogate, which UTF-8 has no bytes for, becomes JSON's own escape
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
    return Response(text, status, content_type="application/json")


def _is_meant(status: int) -> bool:
    """Is JSON the answer? Strangers do not learn which addresses there are: of them what they accept counts."""
    if status == 404 and g.get("viewer") is None:
        return request.accept_mimetypes.best == "application/json"
    return request.path == BASE or request.path.startswith(f"{BASE}/")


def prepare(app: Quart) -> None:
    """Have errors of the API answered as JSON, unknown addresses in it too."""
    app.extensions["error_answer"] = _error


def error(status: int, code: str, message: str) -> Response:
    return answer(Failed(Failure(code, str(message))), status)


def _error(status: int, sentence: str | None, standard: str) -> Response | None:
    if not _is_meant(status):
        return None
    code = sentence.code if isinstance(sentence, Message) else CODES.get(status, "refused")
    return error(status, code, sentence or SENTENCES.get(status, standard))
