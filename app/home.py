"""The first page."""

from __future__ import annotations

from quart import Blueprint, render_template

from app.accounts import public

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@public
async def index() -> str:
    return await render_template("home.html")
