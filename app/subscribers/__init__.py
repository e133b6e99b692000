"""The subscribers of the weekly digest: they ask, confirm by mail, and unsubscribe with one click."""

from app.subscribers import exporting, import_pages, owner  # they add their views to the same blueprint
from app.subscribers.pages import blueprint

__all__ = ["blueprint", "exporting", "import_pages", "owner"]
