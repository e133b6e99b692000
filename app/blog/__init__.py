"""The blog: posts in Markdown, by the owner; the first page of the site and a feed."""

from app.blog import writing  # its views stand on the same blueprint
from app.blog.models import Post
from app.blog.pages import blueprint

__all__ = ["Post", "blueprint", "writing"]
