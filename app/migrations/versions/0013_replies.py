"""Replies to reminders: done, and sent again later."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reminder", sa.Column("done_at", UTCDateTime(), nullable=True))
    op.add_column("reminder", sa.Column("snooze_of", sa.Integer(), nullable=True))
    # Processes of the release before write rows without it.
    op.add_column("reminder", sa.Column("snoozes", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_reminder_snooze_of", "reminder", ["snooze_of"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_reminder_snooze_of", "reminder")
    op.drop_column("reminder", "snoozes")
    op.drop_column("reminder", "snooze_of")
    op.drop_column("reminder", "done_at")
