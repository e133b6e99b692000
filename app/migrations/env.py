"""Alembic runs this for each command. Migrates on the connection from `app.migrations`."""

from alembic import context

from app.database import Model

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Model.metadata,
    render_as_batch=True,  # SQLite cannot alter a column: Alembic rebuilds the table
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
