"""Who is signed in. The cookie holds a token; SQL knows whose it is, and forgets it at sign-out."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from quart import Quart, g, request, session
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database, security_log
from app.accounts.models import IDLE_LIFETIME, LONGEST_LIFETIME, Account, SignIn, SignInLink

NOTE_VISITS_EVERY = timedelta(minutes=10)


def current_account() -> Account:
    """The account of this request. Only for views marked @signed_in or @owner_only."""
    account: Account | None = g.account
    assert account is not None, "the view is not marked @signed_in"
    return account


async def hold(db: AsyncSession, account: Account) -> bool:
    """Have other changes to what this account owns wait until the transaction ends; False if it was deleted meanwhile.

    To be called before anything else is locked.
    """
    query = select(Account.id).where(Account.id == account.id)
    return await db.scalar(query.with_for_update(key_share=True)) is not None


def prepare(app: Quart) -> None:
    app.permanent_session_lifetime = LONGEST_LIFETIME

    @app.before_request
    async def find_account() -> None:
        g.account = None
        if request.endpoint != "static" and (token := session.get("sign_in")):
            g.account = await _account_of(token)
            if g.account is None:
                session.clear()
                security_log.note("session_refused")


async def start(db: AsyncSession, account: Account) -> None:
    """Sign this browser in. Nothing of the cookie stays: what somebody planted there is worth nothing."""
    now = datetime.now(UTC)
    await _forget(db, session.get("sign_in"))
    await db.execute(delete(SignIn).where(SignIn.expires_at < now))
    token = secrets.token_urlsafe(32)
    db.add(
        SignIn(
            token_hash=_hashed(token),
            account_id=account.id,
            created_at=now,
            seen_at=now,
            expires_at=now + LONGEST_LIFETIME,
        )
    )
    session.clear()
    session["sign_in"] = token
    session["csrf"] = secrets.token_urlsafe(
        24
    )  # now: pages that are opened at once would each make their own
    session.permanent = True


async def end(*, everywhere: bool = False) -> None:
    """Sign out at once: the cookie is worth nothing afterwards, also a copy of it.

    *everywhere*: nothing that was given out before lets anybody in to this account, no mailed link either.
    """
    async with database.session() as db:
        if everywhere:
            account = current_account()
            # Links first: whoever uses one at this moment has a session by the time that sessions are deleted.
            await db.execute(delete(SignInLink).where(SignInLink.email == account.email))
            await db.execute(delete(SignIn).where(SignIn.account_id == account.id))
        await _forget(db, session.get("sign_in"))
        await db.commit()
    session.clear()


async def _account_of(token: str) -> Account | None:
    now = datetime.now(UTC)
    async with database.session() as db:
        row = await db.get(SignIn, _hashed(token))
        if row is None or row.expires_at <= now or row.seen_at + IDLE_LIFETIME <= now:
            return None
        if now - row.seen_at > NOTE_VISITS_EVERY:
            row.seen_at = now
            await db.commit()
        return row.account


async def _forget(db: AsyncSession, token: str | None) -> None:
    if token:
        await db.execute(delete(SignIn).where(SignIn.token_hash == _hashed(token)))


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
