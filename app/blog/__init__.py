"""The blog: the owner's posts in Markdown, the front page of the site and a feed."""

from app.blog import editor, finding, tags, writing  # add their views to the same blueprint
from app.blog.models import Post
from app.blog.pages import blueprint
from app.blog.pictures import pages as pictures
from app.blog.unsaved import pages as unsaved

__all__ = ["Post", "blueprint", "editor", "finding", "pictures", "tags", "unsaved", "writing"]
