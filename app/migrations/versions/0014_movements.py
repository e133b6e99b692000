"""When subscribers confirmed and left, without their addresses."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriber_movement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("issue", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_subscriber_movement"),
    )
    op.create_index("ix_subscriber_movement_at", "subscriber_movement", ["at"])
    op.create_index("ix_subscriber_movement_issue", "subscriber_movement", ["issue"])
    for column, kind, which in (
        ("confirmed_at", "confirmed", "confirmed_at IS NOT NULL"),
        ("ended_at", "left", "state = 'unsubscribed' AND confirmed_at IS NOT NULL AND ended_at IS NOT NULL"),
    ):
        op.execute(
            f"INSERT INTO subscriber_movement (at, kind) SELECT {column}, '{kind}' FROM subscriber WHERE {which}"
        )


def downgrade() -> None:
    op.drop_table("subscriber_movement")
