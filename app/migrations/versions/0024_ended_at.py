"""When a reminder was cancelled or declined, so that its text is kept for a time from then."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reminder", sa.Column("ended_at", UTCDateTime(), nullable=True))
    names = sa.column("state", sa.String), sa.column("date", UTCDateTime()), sa.column("ended_at", UTCDateTime())
    rows, now = sa.table("reminder", *names), datetime.now(UTC)
    over = rows.c.state.in_(("cancelled", "declined")), rows.c.date > now
    op.execute(sa.update(rows).where(*over).values(ended_at=now))


def downgrade() -> None:
    op.drop_column("reminder", "ended_at")
