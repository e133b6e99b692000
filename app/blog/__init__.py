"""The blog: the owner's posts in Markdown, the front page of the site and a feed."""

from app.blog import finding, writing  # add their views to the same blueprint
from app.blog.models import Post
from app.blog.pages import blueprint

__all__ = ["Post", "blueprint", "finding", "writing"]
