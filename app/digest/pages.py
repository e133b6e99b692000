"""What the owner sees of the digests."""

from __future__ import annotations

import secrets

from quart import Blueprint, flash, redirect, render_template, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select

from app import database
from app.accounts import owner_only
from app.digest import choosing
from app.digest.models import Digest
from app.digest.tasks import digest

MOST_LISTED = 100

blueprint = Blueprint("digest", __name__, template_folder="templates", url_prefix="/digest")


@blueprint.get("/")
@owner_only
async def index() -> ResponseReturnValue:
    """What the next one would hold, and those there were, newest first."""
    async with database.session() as db:
        choice, readers = await choosing.choose(db), await choosing.readers(db)
        digests = (await db.scalars(select(Digest).order_by(Digest.id.desc()).limit(MOST_LISTED))).all()
    new = len(choice.shown) + len(choice.more)
    return await render_template("digest/index.html", digests=digests, new=new, readers=readers)


@blueprint.post("/run")
@owner_only
async def run_now() -> ResponseReturnValue:
    """A digest of what is new now; Saturday's holds what comes after it."""
    async with database.session() as db:
        choice, readers = await choosing.choose(db), await choosing.readers(db)
    if not choice.shown:
        await flash("Nothing was published since the last digest, so there is none to send.", "warning")
    elif not readers:
        await flash("Nobody has subscribed yet, so there is nobody to send it to.", "warning")
    else:
        await digest.apply_async(task_id=f"digest-now:{secrets.token_hex(8)}")
        await flash("The digest is on its way.", "success")
    return redirect(url_for("digest.index"), 303)
