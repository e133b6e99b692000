"""Imported subscribers."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscriber", sa.Column("import_id", sa.Integer(), nullable=True))
    op.create_index("ix_subscriber_import_id", "subscriber", ["import_id"])
    op.create_table(
        "subscriber_import",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriber_import"),
    )


def downgrade() -> None:
    op.drop_table("subscriber_import")
    op.drop_index("ix_subscriber_import_id", "subscriber")
    op.drop_column("subscriber", "import_id")
