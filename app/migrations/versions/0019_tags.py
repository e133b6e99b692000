"""Tags of posts."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "post_tag",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(60), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("post_id", "slug", name="pk_post_tag"),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name="fk_post_tag_post_id", ondelete="CASCADE"),
    )
    op.create_index("ix_post_tag_slug", "post_tag", ["slug"])


def downgrade() -> None:
    op.drop_table("post_tag")
