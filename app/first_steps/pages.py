"""Show the first steps on the home page of the owner, until they are dismissed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from quart import Blueprint, g, redirect, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from app import database
from app.accounts import Account, current_account, owner_only
from app.accounts.access import is_owner
from app.first_steps import steps
from jobs.monitor_site.web.messages import Message, notify

HIDDEN = Message("first-steps-hidden", "The first steps are hidden. The account page brings them back.")

blueprint = Blueprint("first_steps", __name__, template_folder="templates", url_prefix="/first-steps")


@blueprint.post("/dismiss")
@owner_only
async def dismiss() -> ResponseReturnValue:
    """Show them no more. The account page brings them back."""
    await _dismissed_at(datetime.now(UTC))
    await notify(HIDDEN)
    return redirect(url_for("blog.index"), 303)


@blueprint.post("/show")
@owner_only
async def show() -> ResponseReturnValue:
    await _dismissed_at(None)
    return redirect(url_for("blog.index"), 303)


@blueprint.app_context_processor
async def words() -> dict[str, Any]:
    """What `blog/index.html` shows of them."""
    account: Account | None = g.get("account")
    if account is None or account.first_steps_dismissed_at is not None or not is_owner(account):
        return {"first_steps": None}
    if request.endpoint != "blog.index" or "page" in request.args:
        return {"first_steps": None}
    try:
        async with database.session() as db:
            return {"first_steps": await steps.read(db, account)}
    except OperationalError:  # the error page must still appear
        return {"first_steps": None}


async def _dismissed_at(at: datetime | None) -> None:
    async with database.session() as db:
        mine = Account.id == current_account().id
        await db.execute(update(Account).where(mine).values(first_steps_dismissed_at=at))
        await db.commit()
