"""Digests are issues: with a number, and an opening text that is written before."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("digest", sa.Column("number", sa.Integer(), nullable=True))
    op.add_column("digest", sa.Column("opening", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE digest SET number = (SELECT count(*) FROM digest AS older WHERE older.id <= digest.id)")
    op.create_index("ix_digest_number", "digest", ["number"], unique=True)
    op.create_table(
        "next_issue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("opening", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_next_issue"),
    )


def downgrade() -> None:
    op.drop_table("next_issue")
    op.drop_index("ix_digest_number", "digest")
    op.drop_column("digest", "opening")
    op.drop_column("digest", "number")
