"""What Alembic runs for each command: migrate on the connection that `app.migrations` gives."""

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
