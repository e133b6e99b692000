"""The subject with which a digest was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("digest", sa.Column("subject", sa.String(200), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("digest", "subject")
