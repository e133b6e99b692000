"""Of which title and text the words and the HTML of a post are."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("post", sa.Column("derived_from", sa.String(32), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("post", "derived_from")
