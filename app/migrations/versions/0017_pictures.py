"""Pictures of posts."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "picture",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("alt", sa.String(300), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_picture"),
        sa.UniqueConstraint("name", name="uq_picture_name"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_picture_account_id", ondelete="SET NULL"),
    )
    op.create_index("ix_picture_account_id", "picture", ["account_id"])


def downgrade() -> None:
    op.drop_table("picture")
