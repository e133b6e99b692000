"""The page about the site."""

from __future__ import annotations

from quart import Blueprint, render_template

from app.accounts import public

blueprint = Blueprint("about", __name__)


@blueprint.get("/about")
@public
async def index() -> str:
    return await render_template("about.html")
