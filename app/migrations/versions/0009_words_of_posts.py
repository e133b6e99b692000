"""Words to search for in posts, and which renderer made their HTML."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A worker renders the posts that are there, and fills in their words.
    op.add_column("post", sa.Column("renderer", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("post", sa.Column("words", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("post", "words")
    op.drop_column("post", "renderer")
