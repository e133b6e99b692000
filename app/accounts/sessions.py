"""Who is signed in. The cookie holds a token. SQL maps it to an account until the sign-out."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from quart import Quart, g, request, session
from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database, security_log
from app.accounts.models import IDLE_LIFETIME, LONGEST_LIFETIME, Account, SignIn, SignInLink

BY_TOKEN = select(SignIn).where(SignIn.token_hash == bindparam("token_hash"))
"""Made once, because every page asks."""
NOTE_VISITS_EVERY = timedelta(minutes=10)


def current_account() -> Account:
    """The account of this request. Only for views marked @signed_in or @owner_only."""
    account: Account | None = g.account
    assert account is not None, "the view is not marked @signed_in"
    return account


async def hold(db: AsyncSession, account: Account) -> bool:
    """Lock the account, so that other changes to what it owns wait for this transaction. False if it was deleted.

    Call this before you lock anything else.
    """
    query = select(Account.id).where(Account.id == account.id)
    return await db.scalar(query.with_for_update(key_share=True)) is not None


def prepare(app: Quart) -> None:
    app.permanent_session_lifetime = LONGEST_LIFETIME

    @app.before_request
    async def find_account() -> None:
        g.account = None
        if request.endpoint != "static" and (token := session.get("sign_in")):
            g.account = await account_of(token)
            if g.account is None:
                session.clear()
                security_log.note("session_refused")


async def start(db: AsyncSession, account: Account) -> None:
    """Sign this browser in. Clears the cookie first, so that a planted session or CSRF token is worth nothing."""
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
    # Made now, because pages opened at the same time would each make their own.
    session["csrf"] = secrets.token_urlsafe(24)
    session.permanent = True


async def end(*, everywhere: bool = False) -> None:
    """Sign out at once. Afterwards the cookie is worth nothing, and neither is a copy of it.

    *everywhere* ends all sessions of the account and deletes its mailed links.
    """
    async with database.session() as db:
        if everywhere:
            account = current_account()
            # Links first: a link in use at this moment has become a session before the sessions are deleted.
            await db.execute(delete(SignInLink).where(SignInLink.email == account.email))
            await db.execute(delete(SignIn).where(SignIn.account_id == account.id))
        await _forget(db, session.get("sign_in"))
        await db.commit()
    session.clear()


async def account_of(token: str) -> Account | None:
    """Who is signed in with this token; None if nobody is (any more)."""
    now = datetime.now(UTC)
    async with database.session() as db:
        row = await db.scalar(BY_TOKEN, {"token_hash": _hashed(token)})
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
