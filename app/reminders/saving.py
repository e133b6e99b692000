"""The form to set and change a reminder. On the same blueprint as the other pages."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from quart import abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy.ext.asyncio import AsyncSession

from app import database, times
from app.accounts import current_account, hold, signed_in
from app.mail import address
from app.reminders import arming, limits, repeating
from app.reminders.consents import answers
from app.reminders.consents.models import Consent
from app.reminders.consents.tasks import ask_soon
from app.reminders.form import CHANGES, MOST_WORDS, PRESETS, TO_MY_ZONE, Form
from app.reminders.models import OPEN, Reminder, State, state_after
from app.reminders.pages import REFUSED, blueprint, mine, too_late
from app.reminders.repeat import Repeat
from app.reminders.series import Series
from app.web.going_back import back_or
from app.web.rate_limits import RateLimitsUnavailable
from app.web.template_words import reader_zone
from jobs.monitor_site.web import moments
from jobs.monitor_site.web.messages import Message, notify

__all__ = ["blueprint"]

TOO_MANY = Message("too-many", "You have {:,} upcoming reminders, which is the limit. Cancel one first.")
TOO_MANY_REPEAT = Message("too-many-repeat", "You have {} repeating reminders, which is the limit. Stop one first.")
ENOUGH = Message("too-often", "You have set too many reminders. You can set the next one in {}.")
CROWDED = Message("crowded", "This address already gets many reminders around that time. Choose another day.")
DELETED = Message("account-deleted", "This account has been deleted, so nothing was saved.")
CANNOT_ASK = Message("cannot-ask", "Consent cannot be requested right now. Try again in a minute.")
ASKED_ENOUGH = Message("asked-enough", "You have asked too many people today. You can ask somebody new in {}.")
SAVED = Message("saved", "Saved. The reminder will be sent {}")
ASKED_FIRST = Message(
    "asked-first", "Saved. We ask {} for consent first. If they agree in time, the reminder will be sent {}"
)
QUEUE_AWAY = Message("queue-away", "The queue is not responding. The reminder is sent once it does.")

log = logging.getLogger(__name__)


@blueprint.get("/new")
@signed_in
async def new() -> ResponseReturnValue:
    """The form, with the time in `?words=` filled in."""
    form = Form(words=request.args.get("words", "").strip()[:MOST_WORDS])
    if form.words:
        form.read_words(reader_zone())
    return await _form_page(form)


@blueprint.get("/when")
@signed_in
async def when() -> ResponseReturnValue:
    """What the words mean, for the script of the form."""
    form = Form(words=request.args.get("words", "").strip()[:MOST_WORDS])
    form.read_words(reader_zone())
    shown = form.shown or form.words_error
    return {"when": form.when, "repeat": form.repeat, "shown": shown, "good": form.good}


@blueprint.post("/new")
@signed_in
async def create() -> ResponseReturnValue:
    """Commit the reminder, then arm it. Once this answers, the reminder will be mailed, even if Redis fails.

    A reminder to another person waits for their consent.
    """
    form = await Form.read(reader_zone())
    account = current_account()
    if form.status:
        return await _form_page(form), form.status
    email = form.email or account.email
    if status := await _cannot_set(form, email) or await _cannot_ask(form, email):
        return await _form_page(form), status
    async with database.transaction() as db:
        if not await hold(db, account):
            abort(403, DELETED)
        if not await limits.has_room(db, account):
            form.text_error = TOO_MANY.format(limits.MOST_OPEN)
            return await _form_page(form), 400
        if await _repeats_too_much(db, form):
            return await _form_page(form), 400
        assert form.at is not None
        if await limits.is_crowded(db, account, email, form.at):
            form.when_error = CROWDED
            return await _form_page(form), 429
        reminder = Reminder(date=form.at, email=email, text=form.text, account_id=account.id)
        reminder.state, consent = await _state_for(db, email)
        if reminder.state == State.DECLINED:
            form.to_error = REFUSED
            return await _form_page(form), 400
        db.add(reminder)
        if form.repeat != Repeat.NEVER:
            await repeating.begin(db, reminder, form.repeat, account)
    return await _saved(reminder, form, consent)


@blueprint.get("/<int(max=2147483647):pk>/edit")
@signed_in
async def edit(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        reminder = await mine(db, pk)
    if not reminder.can_change:
        return await too_late(reminder)
    form = Form(reminder.text, when=moments.for_field(reminder.date, reader_zone()))
    if reminder.series is not None and reminder.repeats:
        form.repeat = Repeat(reminder.series.repeat)
    return await _form_page(form, reminder)


@blueprint.post("/<int(max=2147483647):pk>/edit")
@signed_in
async def save(pk: int) -> ResponseReturnValue:
    """Save a new revision, which is mailed only at the new time. Refused once the reminder is being sent."""
    form = await Form.read(reader_zone())
    async with database.session() as db:
        reminder = await mine(db, pk)
    if form.status:
        return await _form_page(form, reminder), form.status
    # Only a change of a past reminder causes a further mail, so only that counts.
    is_over = reminder.state not in OPEN
    if is_over and (status := await _cannot_set(form, reminder.email)):
        return await _form_page(form, reminder), status
    if status := await _cannot_ask(form, reminder.email):
        return await _form_page(form, reminder), status
    async with database.transaction() as db:
        if not await hold(db, current_account()):
            abort(403, DELETED)
        state, consent = await _state_for(db, reminder.email)  # first: an answer locks in the same order
        series = await repeating.lock(db, reminder)
        reminder = await mine(db, pk, lock=True)
        if refusal := await _cannot_change(db, form, reminder, state, series):
            return refusal
        old_job = reminder.job_id
        await _change(db, form, reminder, state, series)
    if reminder.job_id != old_job:
        await arming.revoke(old_job)
    return await _saved(reminder, form, consent)


async def _cannot_change(
    db: AsyncSession, form: Form, reminder: Reminder, state: State, series: Series | None
) -> ResponseReturnValue | None:
    """The answer to a change that is refused. None if it is allowed."""
    if not reminder.can_change:
        return await too_late(reminder)
    if state == State.DECLINED:
        await notify(REFUSED, "warning")
        return redirect(url_for("reminders.show", pk=reminder.id), 303)
    if series is None and await _repeats_too_much(db, form):
        return await _form_page(form, reminder), 400
    assert form.at is not None
    moved = form.at != reminder.date
    if moved and await limits.is_crowded(db, current_account(), reminder.email, form.at, reminder.id):
        form.when_error = CROWDED
        return await _form_page(form, reminder), 429
    return None


async def _change(db: AsyncSession, form: Form, reminder: Reminder, state: State, series: Series | None) -> None:
    assert form.at is not None
    moved = form.at != reminder.date
    reminder.text, reminder.date = form.text, form.at
    if reminder.state == State.MISSED or state == State.WAITING:
        reminder.state = state
    if series is None:
        if form.repeat != Repeat.NEVER:
            await repeating.begin(db, reminder, form.repeat, current_account())
    elif not form.only_this:
        anew = moved or form.to_my_zone
        await repeating.follow(db, series, reminder, form.repeat, current_account(), anew=anew)


async def _repeats_too_much(db: AsyncSession, form: Form) -> bool:
    if form.repeat == Repeat.NEVER or await limits.may_repeat(db, current_account()):
        return False
    form.repeat_error = TOO_MANY_REPEAT.format(limits.MOST_REPEATING)
    return True


async def _cannot_set(form: Form, email: str) -> int:
    """The status to refuse the reminder with, because the account has set too many. 0 if it is allowed."""
    wait_s = await limits.take(current_account(), email)
    if wait_s:
        form.text_error = ENOUGH.format(times.wait(wait_s))
    return 429 if wait_s else 0


async def _cannot_ask(form: Form, email: str) -> int:
    """The status to refuse the reminder with, because its request for consent is not allowed now. 0 if it is."""
    account = current_account()
    if email == account.email:
        return 0
    try:
        wait_s = await limits.take_request(account, email)
    except RateLimitsUnavailable:
        form.to_error = CANNOT_ASK
        return 503
    if wait_s:
        form.to_error = ASKED_ENOUGH.format(times.wait(wait_s))
    return 429 if wait_s else 0


async def _state_for(db: AsyncSession, email: str) -> tuple[State, Consent | None]:
    """The state of a new reminder to *email*, and its consent. Requests the consent if needed."""
    account = current_account()
    if email == account.email:
        return State.SCHEDULED, None
    consent = await answers.ask(db, account.id, email)
    return state_after(consent), consent


async def _saved(reminder: Reminder, form: Form, consent: Consent | None) -> ResponseReturnValue:
    """Show when it will be sent, and arm it or request the consent now, if Redis is available."""
    assert form.at is not None
    when = f"{moments.spelled(form.at, reader_zone())}, {moments.distance(form.at, datetime.now(UTC))}."
    if reminder.state == State.WAITING:
        await notify(ASKED_FIRST.format(address.shown(reminder.email), when))
    else:
        await notify(SAVED.format(when))
    if form.note:
        await notify(form.note, "warning")
    try:
        if reminder.state == State.SCHEDULED and form.at - datetime.now(UTC) < arming.ARM_AHEAD:
            await arming.arm([reminder])
        elif consent is not None and consent.mail_due_at is not None:
            await ask_soon(consent)
    except Exception as error:  # after any fault a worker finds the committed row
        log.warning("%s is saved but not armed: %s", reminder.job_id, error)
        await notify(QUEUE_AWAY, "warning")
    return redirect(await back_or(url_for("reminders.show", pk=reminder.id)), 303)


async def _form_page(form: Form, reminder: Reminder | None = None) -> str:
    choices = {"presets": PRESETS, "repeats": [*Repeat], "changes": CHANGES, "to_my_zone": TO_MY_ZONE}
    return await render_template(
        "reminders/form.html", form=form, reminder=reminder, zone=reader_zone().key, most_words=MOST_WORDS, **choices
    )
