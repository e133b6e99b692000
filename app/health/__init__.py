"""Whether the site works: pages for machines, and what they look at."""

from app.health.pages import blueprint

__all__ = ["blueprint"]
