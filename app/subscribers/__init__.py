"""Who gets the weekly digest: asked for, confirmed by mail, and gone again with one click."""

from app.subscribers import owner  # its views stand on the same blueprint
from app.subscribers.pages import blueprint

__all__ = ["blueprint", "owner"]
