"""The subscribers of the weekly digest: they ask, confirm by mail, and unsubscribe with one click."""

from app.subscribers import owner  # adds its views to the same blueprint
from app.subscribers.pages import blueprint

__all__ = ["blueprint", "owner"]
