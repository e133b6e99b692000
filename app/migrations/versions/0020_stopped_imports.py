"""How many addresses an import did not ask, because the owner stopped it."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscriber_import", sa.Column("stopped", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("subscriber_import", "stopped")
