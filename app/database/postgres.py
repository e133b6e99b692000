"""How Postgres is used here: it fails as SQLite does, within seconds, and its errors quote nobody's data."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

CONNECT_S = 5
ANSWER_S = 60  # for each statement: a server that is cut off says nothing at all

# Beginnings of SQLSTATE: lost connection, read-only, rolled back (deadlock), no room, lock not had in time,
# shut down by an operator, input or output failed; and a plan from before a migration, which is made anew.
CANNOT_NOW = ("08", "25006", "40", "53", "55P03", "57", "58", "0A000")


def prepare(engine: Engine, patience_s: float) -> None:
    """Bound every wait, and say OperationalError where only the server's state is to blame."""

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, record: object, args: list[Any], options: dict[str, Any]) -> Any:
        waits = {"lock_timeout": f"{max(1, int(patience_s * 1000))}ms"}
        options.update(timeout=CONNECT_S, command_timeout=max(ANSWER_S, patience_s), server_settings=waits)
        try:
            return dialect.connect(*args, **options)
        except (
            Exception
        ) as error:  # the driver raises whatever it meets: refused, timed out, too many, no such role
            raise OperationalError("connect", None, error) from error

    @event.listens_for(engine, "handle_error", retval=True)
    def name(context: ExceptionContext) -> BaseException | None:
        error = context.original_exception
        for quoting in (error, error.__cause__):
            # `Key (email)=(alice@example.org) already exists.`, and errors are logged and stored as results.
            if getattr(quoting, "detail", None):
                quoting.detail = None  # type: ignore[union-attr]
        # An idle connection whose server has gone may not know yet that it is closed.
        lost = context.is_pre_ping or isinstance(error, context.dialect.loaded_dbapi.InternalClientError)
        context.is_disconnect = context.is_disconnect or lost
        cannot_now = str(getattr(error, "pgcode", "")).startswith(CANNOT_NOW) or isinstance(error, OSError)
        if not cannot_now and not context.is_disconnect:
            return None
        return OperationalError(
            context.statement,
            None,
            error,
            hide_parameters=True,
            connection_invalidated=context.is_disconnect,
        )
