"""A subscription that reconnects, and has its owner look for what it may have missed."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import KW_ONLY, dataclass

from redis.asyncio.connection import AbstractConnection, ConnectionPool

from .cancellation import cancel_until_ended
from .outage import backoff, denial, is_away
from .script_connection import unpooled

logger = logging.getLogger("jobs.subscription")

LOOK_WHEN_DENIED_S = 1
LOOK_WHEN_SILENT_S = 5  # After this many silent seconds the listener looks by itself: a lost message costs no more.


@dataclass(eq=False)
class Subscription:
    """Calls *hear* with each message, and *look* whenever messages may have been lost: after every (re)connect, after
    each LOOK_WHEN_SILENT_S of silence, when it also makes sure that the connection still answers, and every
    LOOK_WHEN_DENIED_S where Redis does not let this user listen, as `denied` says then.
    """

    pool: ConnectionPool
    channels: Sequence[str]
    _: KW_ONLY
    hear: Callable[[bytes, bytes], None]
    look: Callable[[], None]
    without: str = f"looking every {LOOK_WHEN_DENIED_S} s instead"
    denied: str = ""  # Why Redis does not let us listen; '' if it does, or has not been asked.
    _task: asyncio.Task[None] | None = None
    _subscribed: bool = False

    def start(self) -> bool:
        """Begin to listen, once. True if it is subscribed now; if not, `look` will be called when it is."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen(), context=Context())  # not the job's that came first
        return self._subscribed

    async def close(self) -> None:
        await cancel_until_ended([self._task])

    async def _listen(self) -> None:
        delays = backoff()
        while True:
            connection = unpooled(self.pool)
            try:
                await connection.connect()
                await connection.send_command("SUBSCRIBE", *self.channels)
                while True:
                    await self._receive(connection)
                    delays = backoff()
            except Exception as error:
                delay_s = next(delays)
                if reason := denial(error) or ("" if is_away(error) else repr(error)):
                    if reason != self.denied:
                        logger.warning("cannot listen on %s, %s: %s", self.channels[0], self.without, reason)
                    self.denied, delay_s = reason, max(delay_s, LOOK_WHEN_DENIED_S)
                    self.look()
                await asyncio.sleep(delay_s)
            finally:
                self._subscribed = False
                if connection.is_connected:
                    await connection.disconnect(nowait=True)

    async def _receive(self, connection: AbstractConnection) -> None:
        try:
            async with asyncio.timeout(LOOK_WHEN_SILENT_S):
                answer = await connection.read_response(disconnect_on_error=False)
        except TimeoutError:
            self.look()
            async with asyncio.timeout(LOOK_WHEN_SILENT_S):
                await connection.send_command("PING", check_health=False)
                answer = await connection.read_response(disconnect_on_error=False)
        try:
            if answer[0] == b"subscribe":
                self._subscribed, self.denied = True, ""
                self.look()
            elif answer[0] == b"message":
                self.hear(answer[1], answer[2])
        except Exception:  # anybody may publish anything: later messages must be heard
            logger.exception("a message on %s cannot be understood: %.200r", self.channels[0], answer)
