"""Slugs of tags that tell `C` from `C++`, and one name for each."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

tag = sa.table("post_tag", sa.column("post_id"), sa.column("slug"), sa.column("name"))


def upgrade() -> None:
    rows = op.get_bind().execute(sa.select(tag).order_by(tag.c.post_id)).all()
    names = {_slug(row.name): row.name for row in rows}
    for row in rows:
        slug = _slug(row.name)
        this = sa.and_(tag.c.post_id == row.post_id, tag.c.slug == row.slug)
        if len(slug) <= 60:
            op.execute(tag.update().where(this).values(slug=slug, name=names[slug]))


def downgrade() -> None:
    pass


def _slug(name: str) -> str:
    """As `app.blog.tags.slug` was when this was written."""
    for _ in range(2):
        name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    escaped = " ".join(name.split()).replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")
    return escaped if escaped.strip(".") else escaped.replace(".", "%2e")
