"""Reminders that repeat."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reminder_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("repeat", sa.String(10), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("start", UTCDateTime(), nullable=False),
        sa.Column("slot", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("stopped_at", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reminder_series"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_reminder_series_account_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reminder_series_account_id", "reminder_series", ["account_id"])
    op.create_index("ix_reminder_series_slot", "reminder_series", ["stopped_at", "slot"])
    # No foreign key: SQLite would copy the table. A series is deleted with its account, as its reminders are.
    op.add_column("reminder", sa.Column("series_id", sa.Integer(), nullable=True))
    op.add_column("reminder", sa.Column("slot", UTCDateTime(), nullable=True))
    op.create_index("ix_reminder_slot", "reminder", ["series_id", "slot"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_reminder_slot", "reminder")
    op.drop_column("reminder", "slot")
    op.drop_column("reminder", "series_id")
    op.drop_table("reminder_series")
