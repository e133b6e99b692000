"""Who may remind whom."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("answer", sa.String(10), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.Column("mail_due_at", UTCDateTime(), nullable=True),
        sa.Column("asked_at", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
        sa.UniqueConstraint("account_id", "email", name="uq_consent_account_id_email"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_consent_account_id", ondelete="SET NULL"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_consent_email", "consent", ["email"])
    op.create_index("ix_consent_mail_due_at", "consent", ["mail_due_at"])


def downgrade() -> None:
    op.drop_table("consent")
