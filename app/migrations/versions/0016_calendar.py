"""The secret address of an account's calendar."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reminder_calendar",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_reminder_calendar"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_reminder_calendar_account_id", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("reminder_calendar")
