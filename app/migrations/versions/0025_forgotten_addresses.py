"""Hashes of addresses that an import does not ask again."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriber_forgotten",
        sa.Column("hashed", sa.String(43), nullable=False),
        sa.PrimaryKeyConstraint("hashed", name="pk_subscriber_forgotten"),
    )


def downgrade() -> None:
    op.drop_table("subscriber_forgotten")
