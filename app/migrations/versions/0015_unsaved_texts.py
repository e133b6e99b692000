"""What is typed in the editor and not saved yet."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unsaved_text",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("tab", sa.String(32), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=True),
        sa.Column("typed", sa.JSON(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("typed_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_unsaved_text"),
        sa.UniqueConstraint("account_id", "tab", name="uq_unsaved_text_account_id_tab"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_unsaved_text_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name="fk_unsaved_text_post_id", ondelete="SET NULL"),
    )
    op.create_index("ix_unsaved_text_post_id", "unsaved_text", ["post_id"])


def downgrade() -> None:
    op.drop_table("unsaved_text")
