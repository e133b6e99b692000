"""When the owner dismissed the first steps on the home page."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("first_steps_dismissed_at", UTCDateTime(), nullable=True))
    # A site that has sent a digest has its first steps behind it.
    op.execute("UPDATE account SET first_steps_dismissed_at = created_at WHERE EXISTS (SELECT 1 FROM digest)")


def downgrade() -> None:
    op.drop_column("account", "first_steps_dismissed_at")
