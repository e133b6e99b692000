"""When the author of a missed reminder was told."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reminder", sa.Column("told_at", UTCDateTime(), nullable=True))
    # Reminders missed before this release send no mail.
    op.execute("UPDATE reminder SET told_at = date WHERE state = 'missed'")


def downgrade() -> None:
    op.drop_column("reminder", "told_at")
