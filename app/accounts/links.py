"""Sign-in links. Each is for one address and works once, for ten minutes. Needs no Redis, mail or worker."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import tokens
from app.accounts.models import LINK_LIFETIME, Account, SignInLink
from app.database import Database
from app.mail import AddressRefused, address
from settings import Settings

KEEP_OLD_LINKS = timedelta(days=1)


async def sign_in_link(settings: Settings, email: str = "") -> str:
    """A new link for this address, the owner's by default. For a command line, without a running app."""
    database = Database(settings.database_url)
    try:
        async with database.transaction() as db:
            link = await make_link(db, settings.secret_key, parse_address(email or settings.owner_email, settings))
        return address_of(link, settings)
    finally:
        await database.close()


def parse_address(typed: str, settings: Settings) -> str:
    """The address of an account, in lower case. `localhost` is for the owner and for the embedded mail server."""
    owner = owner_address(settings)
    email = owner if typed == settings.owner_email else address.parse(typed).lower()
    if email.endswith("@localhost") and email != owner and not settings.embedded_mail:
        raise AddressRefused(
            "localhost", "Email cannot be delivered to localhost. Enter an address like name@example.org."
        )
    return email


def owner_address(settings: Settings) -> str:
    """The address in OWNER_EMAIL."""
    return settings.owner_email


async def account_number(db: AsyncSession, email: str) -> int | None:
    """The id of the account with this (parsed) address, or None."""
    return await db.scalar(select(Account.id).where(Account.email == email))


async def make_link(db: AsyncSession, secret_key: str, email: str, *, browser: str = "") -> SignInLink:
    """Add a link for this (parsed) address, requested with *browser*. Deletes those that expired a day ago."""
    now = datetime.now(UTC)
    await db.execute(delete(SignInLink).where(SignInLink.expires_at < now - KEEP_OLD_LINKS))
    nonce = secrets.token_urlsafe(24)
    link = SignInLink(
        email=email,
        nonce=nonce,
        token_hash=_hashed(_token(secret_key, nonce)),
        created_at=now,
        expires_at=now + LINK_LIFETIME,
        browser=browser,
    )
    db.add(link)
    await db.flush()
    return link


def address_of(link: SignInLink, settings: Settings) -> str:
    """The link's web address, always below BASE_URL, never the request's Host. The same for each try."""
    return f"{settings.base_url}/sign-in/{_token(settings.secret_key, link.nonce)}"


async def find_link(db: AsyncSession, token: str) -> SignInLink | None:
    """The link of this token, or None if it is used, expired or unknown."""
    query = select(SignInLink).where(SignInLink.token_hash == _hashed(token), *_usable())
    return (await db.scalars(query)).one_or_none()


async def use_link(db: AsyncSession, token: str, timezone: str) -> tuple[Account | None, bool]:
    """Use the link up. Returns its account and whether it is new; None if the link is used, expired or unknown."""
    query = update(SignInLink).where(SignInLink.token_hash == _hashed(token), *_usable())
    used = await db.execute(query.values(used_at=datetime.now(UTC)).returning(SignInLink.email))
    email = used.scalar_one_or_none()
    if email is None:
        return None, False
    account_query = select(Account).where(Account.email == email)
    account = (await db.scalars(account_query)).one_or_none()
    if account is not None:
        return account, False
    try:
        async with db.begin_nested():
            account = Account(email=email, timezone=timezone, created_at=datetime.now(UTC))
            db.add(account)
    except IntegrityError:  # two links of one new address, used at the same moment
        return (await db.scalars(account_query)).one(), False
    return account, True


def _usable() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SignInLink.used_at.is_(None), SignInLink.expires_at > datetime.now(UTC)


def _token(secret_key: str, nonce: str) -> str:
    return tokens.derive(secret_key, "sign-in link", nonce)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
