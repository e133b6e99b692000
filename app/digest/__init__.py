"""The weekly digest: new posts, mailed once to every subscriber, as an issue with a number and a page."""

from app.digest import preparing, public, running  # two of them add their views to the blueprint of `pages`
from app.digest.pages import blueprint

__all__ = ["blueprint", "preparing", "public", "running"]
