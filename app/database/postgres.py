"""Set up Postgres: it fails within seconds and with the errors of SQLite, and its errors quote no stored data."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

CONNECT_S = 5
ANSWER_S = 60  # for each statement: a server behind a broken network never answers

# Prefixes of SQLSTATE: connection lost, read-only, rolled back (deadlock), out of space, lock timeout,
# shut down by an operator, I/O error; and a cached plan from before a migration, which the driver then renews.
CANNOT_NOW = ("08", "25006", "40", "53", "55P03", "57", "58", "0A000")


def prepare(engine: Engine, patience_s: float) -> None:
    """Limit every wait, and raise OperationalError for every fault that is only the server's state."""

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, record: object, args: list[Any], options: dict[str, Any]) -> Any:
        waits = {"lock_timeout": f"{max(1, int(patience_s * 1000))}ms"}
        options.update(timeout=CONNECT_S, command_timeout=max(ANSWER_S, patience_s), server_settings=waits)
        try:
            return dialect.connect(*args, **options)
        # The driver has no common class for its errors: refused, timed out, too many, no such role.
        except Exception as error:
            raise OperationalError("connect", None, error) from error

    @event.listens_for(engine, "handle_error", retval=True)
    def name(context: ExceptionContext) -> BaseException | None:
        error = context.original_exception
        for quoting in (error, error.__cause__):
            # It quotes data, `Key (email)=(alice@example.org) already exists.`, and errors are logged and stored.
            if getattr(quoting, "detail", None):
                quoting.detail = None  # type: ignore[union-attr]
        # An idle connection may not yet know that its server has gone.
        lost = context.is_pre_ping or isinstance(error, context.dialect.loaded_dbapi.InternalClientError)
        context.is_disconnect = context.is_disconnect or lost
        cannot_now = str(getattr(error, "pgcode", "")).startswith(CANNOT_NOW) or isinstance(error, OSError)
        if not cannot_now and not context.is_disconnect:
            return None
        return OperationalError(
            context.statement, None, error, hide_parameters=True, connection_invalidated=context.is_disconnect
        )
