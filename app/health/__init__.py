"""The health of the site: its checks, and the pages that show them to machines."""

from app.health.pages import blueprint

__all__ = ["blueprint"]
