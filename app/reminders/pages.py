"""List, set, change and cancel reminders."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from quart import Blueprint, abort, flash, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database, times
from app.accounts import current_account, signed_in
from app.reminders import arming
from app.reminders.models import LONGEST_TEXT, Reminder, State, owned_by
from jobs import Result

PER_PAGE = 20
MOST_OPEN = 2_000  # reminders that one account may have waiting
UNMAILABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, lone surrogates
QUICK = {"10s": timedelta(seconds=10), "1m": timedelta(minutes=1), "1h": timedelta(hours=1)}

log = logging.getLogger(__name__)
blueprint = Blueprint("reminders", __name__, template_folder="templates", url_prefix="/reminders")


@dataclass
class Form:
    """What was typed, every word of it, and what is wrong with it."""

    text: str = ""
    when: str = ""
    text_error: str = ""
    when_error: str = ""
    note: str = ""
    at: datetime | None = None

    @classmethod
    async def read(cls, zone: ZoneInfo) -> Form:
        """The form of this request. A quick button counts more than the field."""
        sent = await request.form
        form = cls(text=sent.get("text", "").replace("\r\n", "\n"), when=sent.get("when", "")[:100])
        form._check_text()
        form._check_time(sent.get("in", ""), zone)
        return form

    @property
    def good(self) -> bool:
        return not (self.text_error or self.when_error)

    def _check_text(self) -> None:
        if not self.text.strip():
            self.text_error = "Write what you want to be reminded of."
        elif len(self.text) > LONGEST_TEXT:
            self.text_error = (
                f"The text has {len(self.text):,} characters; {LONGEST_TEXT:,} are allowed. Shorten it."
            )
        elif UNMAILABLE.search(self.text):
            self.text_error = "The text holds control characters that no mail can carry: remove them."

    def _check_time(self, quick: str, zone: ZoneInfo) -> None:
        now = datetime.now(UTC)
        if quick in QUICK:
            self.at = now + QUICK[quick]
        elif quick == "tomorrow":
            self.at = times.tomorrow_morning(zone, now)
        else:
            try:
                moment = times.read(self.when, zone, now)
                self.at, self.note = moment.at, moment.note
            except times.NotATime as error:
                self.when_error = str(error)


@blueprint.get("/")
@signed_in
async def index() -> ResponseReturnValue:
    """What is to come, soonest first, and below it what was, newest first."""
    page = min(max(request.args.get("page", 1, type=int), 1), 1_000_000)
    mine = owned_by(current_account())
    open_ = Reminder.state.in_((State.SCHEDULED, State.SENDING))
    async with database.session() as db:
        coming = await _some(db, select(Reminder).where(mine, open_).order_by(Reminder.date), page)
        past = await _some(db, select(Reminder).where(mine, ~open_).order_by(Reminder.date.desc()), page)
    return await render_template(
        "reminders/index.html",
        coming=coming[:PER_PAGE],
        past=past[:PER_PAGE],
        page=page,
        more=len(coming) > PER_PAGE or len(past) > PER_PAGE,
        refresh=_refresh_s(coming[:PER_PAGE]),
    )


@blueprint.get("/new")
@signed_in
async def new() -> ResponseReturnValue:
    return await _form_page(Form())


@blueprint.post("/new")
@signed_in
async def create() -> ResponseReturnValue:
    """Saved first, armed then: once this answers, the reminder is mailed whatever happens to Redis."""
    form = await Form.read(_zone())
    account = current_account()
    if not form.good or form.at is None:
        return await _form_page(form), 400
    async with database.transaction() as db:
        mine = Reminder.account_id == account.id, Reminder.state == State.SCHEDULED
        if (await db.scalar(select(func.count()).where(*mine)) or 0) >= MOST_OPEN:
            form.text_error = (
                f"You have {MOST_OPEN:,} reminders waiting, and more are not possible. Cancel one."
            )
            return await _form_page(form), 400
        reminder = Reminder(date=form.at, email=account.email, text=form.text, account_id=account.id)
        db.add(reminder)
    return await _saved(reminder, form)


@blueprint.get("/<int(max=2147483647):pk>")
@signed_in
async def show(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        reminder = await _mine(db, pk)
    return await render_template("reminders/show.html", reminder=reminder, refresh=_refresh_s([reminder]))


@blueprint.get("/<int(max=2147483647):pk>/edit")
@signed_in
async def edit(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        reminder = await _mine(db, pk)
    if not reminder.can_change:
        return await _too_late(reminder)
    return await _form_page(Form(reminder.text, times.for_field(reminder.date, _zone())), reminder)


@blueprint.post("/<int(max=2147483647):pk>/edit")
@signed_in
async def save(pk: int) -> ResponseReturnValue:
    """A new revision, mailed at the new time only. Too late once it is being sent."""
    form = await Form.read(_zone())
    async with database.transaction() as db:
        reminder = await _mine(db, pk, lock=True)
        if not reminder.can_change:
            return await _too_late(reminder)
        if not form.good or form.at is None:
            return await _form_page(form, reminder), 400
        old_job = reminder.job_id
        reminder.text, reminder.date = form.text, form.at
    if reminder.job_id != old_job:
        await _revoke(old_job)
    return await _saved(reminder, form)


@blueprint.post("/<int(max=2147483647):pk>/cancel")
@signed_in
async def cancel(pk: int) -> ResponseReturnValue:
    """Once this answers "cancelled", no mail leaves."""
    async with database.transaction() as db:
        reminder = await _mine(db, pk, lock=True)
        if not reminder.can_change:
            return await _too_late(reminder)
        reminder.state = State.CANCELLED
    await _revoke(reminder.job_id)
    await flash("The reminder is cancelled: nothing will be mailed.", "success")
    return redirect(url_for("reminders.index"), 303)


async def _mine(db: AsyncSession, pk: int, *, lock: bool = False) -> Reminder:
    """The reminder, if this account owns it; somebody else's does not exist."""
    query = select(Reminder).where(Reminder.id == pk, owned_by(current_account()))
    found = (await db.scalars(query.with_for_update() if lock else query)).one_or_none()
    return found or abort(404)


async def _saved(reminder: Reminder, form: Form) -> ResponseReturnValue:
    """Say when it comes, in the reader's zone and from now; and arm it, if Redis is there."""
    assert form.at is not None
    await flash(
        f"Saved: it will be mailed {times.spelled(form.at, _zone())}, {times.distance(form.at, datetime.now(UTC))}.",
        "success",
    )
    if form.note:
        await flash(form.note, "warning")
    if form.at - datetime.now(UTC) < arming.AHEAD:
        try:
            await arming.arm([reminder])
        except Exception as error:  # whatever keeps Redis from it: the row is safe, and a worker arms it
            log.warning("%s is saved but not armed: %s", reminder.job_id, error)
            await flash("The queue does not answer right now. A worker takes it up once it does.", "warning")
    return redirect(url_for("reminders.show", pk=reminder.id), 303)


async def _revoke(job_id: str) -> None:
    """Tidy up: an alarm that stays rings for nothing."""
    try:
        await Result(job_id).revoke()
    except Exception as error:
        log.info("%s was not revoked: %s", job_id, error)


async def _too_late(reminder: Reminder) -> ResponseReturnValue:
    said = {
        State.SENDING: "Too late: it is being sent at this moment.",
        State.SENT: "Too late: it has been sent.",
        State.CANCELLED: "It is cancelled already.",
    }
    await flash(said[State(reminder.state)], "warning")
    return redirect(url_for("reminders.show", pk=reminder.id), 303)


async def _form_page(form: Form, reminder: Reminder | None = None) -> str:
    return await render_template(
        "reminders/form.html", form=form, reminder=reminder, zone=_zone().key, longest=LONGEST_TEXT
    )


async def _some(db: AsyncSession, query: object, page: int) -> Sequence[Reminder]:
    """One page of it, and one more row to know whether there is another page."""
    some = query.limit(PER_PAGE + 1).offset((page - 1) * PER_PAGE)  # type: ignore[attr-defined]
    return list(await db.scalars(some))


def _refresh_s(reminders: Sequence[Reminder]) -> int:
    """How soon the page may have changed: 0 if nothing on it can change within ten minutes."""
    moments = [r.next_try_at for r in reminders if r.state in (State.SCHEDULED, State.SENDING)]
    if not moments:
        return 0
    left = (min(moments) - datetime.now(UTC)).total_seconds()
    return 0 if left > 600 else 2 if left < 60 else 15


def _zone() -> ZoneInfo:
    return ZoneInfo(current_account().timezone)
