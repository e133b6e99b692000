"""The SQL database: its sessions, and the base class of every model. SQLite, or Postgres by URL."""

from app.database.engine import Database, Model, UTCDateTime, current_database, session, transaction

__all__ = ["Database", "Model", "UTCDateTime", "current_database", "session", "transaction"]
