"""Reminders."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reminder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("date", UTCDateTime(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UTCDateTime(), nullable=False),
        sa.Column("unreachable_since", UTCDateTime(), nullable=True),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("armed_at", UTCDateTime(), nullable=True),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("claimed_until", UTCDateTime(), nullable=True),
        sa.Column("uncertain", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reminder"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_reminder_account_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reminder_unarmed", "reminder", ["state", "armed_at", "next_try_at"])
    op.create_index("ix_reminder_due", "reminder", ["state", "next_try_at"])
    op.create_index("ix_reminder_account", "reminder", ["account_id", "date"])
    op.create_index("ix_reminder_email", "reminder", ["email"])


def downgrade() -> None:
    op.drop_table("reminder")
