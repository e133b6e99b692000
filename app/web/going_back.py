"""Where a form leads that several pages have."""

from __future__ import annotations

from quart import request, url_for


async def back_or(address: str) -> str:
    """The home page if the form was sent from there (`<input name="back" value="home">`), otherwise *address*."""
    return url_for("blog.index") if await is_from_home() else address


async def is_from_home() -> bool:
    """Whether this request comes from a form of the home page."""
    return (await request.form).get("back") == "home"
