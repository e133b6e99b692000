"""Digests: their posts, and one delivery for each subscriber."""

import sqlalchemy as sa
from alembic import op

from app.database import UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "digest",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(128), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("more", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("began_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("unreachable_since", UTCDateTime(), nullable=True),
        sa.Column("next_try_at", UTCDateTime(), nullable=False),
        sa.Column("told_at", UTCDateTime(), nullable=True),
        sa.Column("seen_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_digest"),
        sa.UniqueConstraint("run", name="uq_digest_run"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "digest_post",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("digest_id", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("post_id", name="pk_digest_post"),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name="fk_digest_post_post_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["digest_id"], ["digest.id"], name="fk_digest_post_digest_id", ondelete="CASCADE"),
    )
    op.create_index("ix_digest_post_digest_id", "digest_post", ["digest_id"])
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=True),
        sa.Column("step", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UTCDateTime(), nullable=False),
        sa.Column("claimed_by", sa.String(32), nullable=False),
        sa.Column("claimed_until", UTCDateTime(), nullable=True),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("digest_id", "subscriber_id", name="uq_delivery_digest_id_subscriber_id"),
        sa.ForeignKeyConstraint(["digest_id"], ["digest.id"], name="fk_delivery_digest_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscriber.id"], name="fk_delivery_subscriber_id", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_delivery_step", "delivery", ["digest_id", "step", "id"])
    op.create_index("ix_delivery_subscriber_id", "delivery", ["subscriber_id"])


def downgrade() -> None:
    op.drop_table("delivery")
    op.drop_table("digest_post")
    op.drop_table("digest")
