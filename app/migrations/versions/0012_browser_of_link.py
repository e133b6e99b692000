"""Which browser asked for a sign-in link."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sign_in_link", sa.Column("browser", sa.String(40), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("sign_in_link", "browser")
