"""Redis away, or refusing: say it once, wait a little longer each time, say when it is back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from jobs.away import denial, explained, is_away, state

T = TypeVar("T")

logger = logging.getLogger("arq.worker")


class Link:
    """How one kind of call to Redis is getting on."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failing_since: float | None = None
        self._said = ""
        self._delay = 0.0

    async def keep_trying(self, step: Callable[[], Awaitable[T]], *, only_away: bool = False) -> T:
        """What *step* returns, however often it fails first. *only_away*: an error that is not Redis' own is raised."""
        while True:
            try:
                done = await step()
            except Exception as error:
                if only_away and not is_away(error):
                    raise
                await asyncio.sleep(self.failed(error))
            else:
                self.worked()
                return done

    def failed(self, error: BaseException) -> float:
        """Note a failure, logged once for each cause; returns the seconds to wait before the next try."""
        now = time.monotonic()
        cause = denial(error) or state(error) or f"{type(error).__name__} {'' if is_away(error) else error}"
        if cause != self._said:
            self._log(error)
            self._said = cause
        if self._failing_since is None:
            self._failing_since = now
        self._delay = min(max(self._delay * 2, 0.05), 1)
        return self._delay

    def _log(self, error: BaseException) -> None:
        if reason := denial(error):
            logger.error("Redis refuses us, cannot %s, will keep trying: %s", self._what, reason)
        elif is_away(error):
            logger.warning("Redis is away, cannot %s, will keep trying: %s", self._what, explained(error))
        else:  # a defect, or data that nobody of ours wrote
            logger.error("cannot %s, will keep trying", self._what, exc_info=error)

    def worked(self) -> None:
        """Note a success."""
        if self._failing_since is not None:
            logger.warning(
                "Redis is back, can %s again after %.1f s", self._what, time.monotonic() - self._failing_since
            )
            self._failing_since, self._said, self._delay = None, "", 0
