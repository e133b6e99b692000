"""The SQL database: its sessions, and the base class of every model. SQLite, or Postgres by URL."""

from app.database.engine import Database, current_database, session, transaction
from app.database.model import Model, UTCDateTime

__all__ = ["Database", "Model", "UTCDateTime", "current_database", "session", "transaction"]
