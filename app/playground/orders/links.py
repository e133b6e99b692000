"""The link in an order's mail: the account, the number of the order, and a token of SECRET_KEY for both."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from app import tokens
from app.accounts import Account
from settings import Settings

ANSWER = "answer an order"


def answer_url(account: Account, number: int, settings: Settings) -> str:
    """The same in every try to mail it."""
    token = tokens.derive(settings.secret_key, ANSWER, _nonce(account, number))
    return f"{settings.base_url}/playground/order/{account.id}/{number}/{token}"


async def find(db: AsyncSession, pk: int, number: int, token: str, settings: Settings) -> Account | None:
    """The account whose order this is. None if the token is wrong, or the account was deleted."""
    account = await db.get(Account, pk)
    nonce = _nonce(account, number) if account else ""
    return account if tokens.fits(token, settings.secret_key, ANSWER, nonce) else None


def _nonce(account: Account, number: int) -> str:
    """The time of the first sign-in is in it, because a new database has the same ids."""
    return f"{account.id} {account.created_at.isoformat()} {number}"
