"""Redis away: say it once, wait a little longer each time, say when it is back."""

from __future__ import annotations

import logging
import time

from jobs.line import refusal

logger = logging.getLogger("arq.worker")


class Link:
    """How one kind of call to Redis is getting on."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failing_since: float | None = None
        self._said = ""
        self._delay = 0.0

    def failed(self, error: BaseException) -> float:
        """Note a failure; returns the seconds to wait before the next try."""
        now = time.monotonic()
        cause = refusal(error) or type(error).__name__
        if cause != self._said:
            logger.warning(
                "Redis is away, cannot %s, will keep trying: %s: %s", self._what, type(error).__name__, error
            )
            self._said = cause
        if self._failing_since is None:
            self._failing_since = now
        self._delay = min(max(self._delay * 2, 0.05), 1)
        return self._delay

    def worked(self) -> None:
        """Note a success."""
        if self._failing_since is not None:
            logger.warning(
                "Redis is back, can %s again after %.1f s", self._what, time.monotonic() - self._failing_since
            )
            self._failing_since, self._said, self._delay = None, "", 0
