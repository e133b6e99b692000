"""The four first steps, as the rows show them. No flag says that a step is done: its post, mail or digest does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import case, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import Account
from app.blog.models import Post, is_published
from app.digest import choosing
from app.digest.mails import message_id as digest_message_id
from app.digest.models import Delivery, Digest
from app.digest.models import State as DigestState
from app.digest.models import Step as DeliveryStep
from app.reminders.mails import message_id as reminder_message_id
from app.reminders.models import OPEN, Reminder, owned_by
from app.reminders.models import State as ReminderState
from app.subscribers.mails import message_id as confirmation_message_id
from app.subscribers.models import State as SubscriberState
from app.subscribers.models import Subscriber

KEPT = timedelta(days=1)
"""How long Redis keeps a job after its end, and so how long a link to it works."""
SOON = timedelta(minutes=1)


@dataclass(frozen=True)
class Step:
    """One step: what there is to see of it, and whether it is `done`, `doing` or `open`."""

    row: Post | Subscriber | Reminder | Digest | None = None
    state: str = "open"
    job: str = ""
    """The id of its job, while Redis keeps it."""
    mail: str = ""
    """The Message-ID of its mail without the brackets, once that was sent."""
    moves: bool = False
    """Whether it changes within seconds, without the owner."""


@dataclass(frozen=True)
class Steps:
    """The four steps of one owner."""

    post: Step
    subscribe: Step
    remind: Step
    digest: Step
    can_run: bool
    """Whether a digest has posts and subscribers, the owner or others."""

    @property
    def all(self) -> dict[str, Step]:
        return {"post": self.post, "subscribe": self.subscribe, "remind": self.remind, "digest": self.digest}

    @property
    def done(self) -> int:
        return sum(step.state == "done" for step in self.all.values())

    @property
    def next(self) -> str:
        """The name of the first step that nobody has begun."""
        return next((name for name, step in self.all.items() if step.state == "open"), "")

    @property
    def moves(self) -> bool:
        return any(step.moves for step in self.all.values())


async def read(db: AsyncSession, account: Account) -> Steps:
    """The steps of the owner's *account*. Rows of other people tick nothing."""
    subscriber = await db.scalar(select(Subscriber).where(Subscriber.email == account.email))
    post = await _post(db)
    can_run = post.row is not None and await choosing.readers(db) > 0
    return Steps(post, _subscribe(subscriber), await _remind(db, account), await _digest(db, subscriber), can_run)


async def _post(db: AsyncSession) -> Step:
    newest = select(Post).where(is_published()).order_by(Post.published_at.desc(), Post.id.desc()).limit(1)
    post = await db.scalar(newest)
    return Step(post, "done" if post else "open")


def _subscribe(subscriber: Subscriber | None) -> Step:
    """Done once the owner has confirmed, even if they unsubscribed later."""
    if subscriber is None or subscriber.asked_at is None:
        return Step(state="done" if subscriber and subscriber.confirmed_at else "open")
    moves = subscriber.mail_due_at is not None
    state = "done" if subscriber.confirmed_at else "doing" if subscriber.state == SubscriberState.ASKED else "open"
    mail = "" if moves or subscriber.reason else confirmation_message_id(subscriber).strip("<>")
    return Step(subscriber, state, _kept(subscriber.asked_at, subscriber.job_id), mail, moves)


async def _remind(db: AsyncSession, account: Account) -> Step:
    """The last one that was mailed to the owner, or the last one set."""
    sent_first = case((Reminder.state == ReminderState.SENT, 0), else_=1)
    mine = select(Reminder).where(owned_by(account), Reminder.email == account.email)
    reminder = await db.scalar(mine.order_by(sent_first, Reminder.id.desc()).limit(1))
    if reminder is None:
        return Step()
    job = _kept(reminder.sent_at, reminder.job_id)
    if reminder.state == ReminderState.SENT:
        return Step(reminder, "done", job, reminder_message_id(reminder).strip("<>"))
    is_open = reminder.state in OPEN
    moves = is_open and reminder.next_try_at < datetime.now(UTC) + SOON
    return Step(reminder, "doing" if is_open else "open", job, "", moves)


async def _digest(db: AsyncSession, subscriber: Subscriber | None) -> Step:
    """The last one that reached somebody, or the last one."""
    reached = exists().where(Delivery.digest_id == Digest.id, Delivery.step == DeliveryStep.SENT)
    is_done = (Digest.state == DigestState.DONE) & reached
    done_first = case((is_done, 0), else_=1)
    found = select(Digest, is_done).order_by(done_first, Digest.id.desc()).limit(1)
    row = (await db.execute(found)).one_or_none()
    if row is None:
        return Step()
    digest, done = row
    job = _kept(digest.ended_at, digest.job_id)
    moves = digest.state in (DigestState.PLANNED, DigestState.SENDING)
    state = "done" if done else "doing" if moves or digest.state == DigestState.PAUSED else "open"
    return Step(digest, state, job, await _copy(db, digest, subscriber), moves)


async def _copy(db: AsyncSession, digest: Digest, subscriber: Subscriber | None) -> str:
    """The Message-ID of the digest's mail to this subscriber. Empty if none was sent."""
    if subscriber is None:
        return ""
    its = Delivery.digest_id == digest.id, Delivery.subscriber_id == subscriber.id, Delivery.step == DeliveryStep.SENT
    pk = await db.scalar(select(Delivery.id).where(*its))
    return digest_message_id(digest, pk).strip("<>") if pk else ""


def _kept(ended_at: datetime | None, job_id: str) -> str:
    """The id of a job that ended at *ended_at*, while Redis keeps it."""
    return job_id if ended_at is None or datetime.now(UTC) - ended_at < KEPT else ""
