"""Accounts, their sign-in links, and the browsers in which they are signed in."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Model

LINK_LIFETIME = timedelta(minutes=10)
IDLE_LIFETIME = timedelta(days=14)
LONGEST_LIFETIME = timedelta(days=90)


class Account(Model):
    """A person, identified by one email address (normalised: see `app.accounts.links.parse_address`)."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    timezone: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    first_steps_dismissed_at: Mapped[datetime | None]
    """When the owner dismissed the first steps on the home page."""

    def __repr__(self) -> str:
        return f"<Account {self.id}>"


class SignInLink(Model):
    """One mailed link. Its token is derived from `nonce` and SECRET_KEY. Only a hash of it is stored."""

    __tablename__ = "sign_in_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    nonce: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    browser: Mapped[str] = mapped_column(String(40), server_default="", default="")
    """In plain words: see `app.accounts.browsers`. Empty if unknown."""
    used_at: Mapped[datetime | None]


class SignIn(Model):
    """One browser that is signed in. Its cookie holds a token. Only a hash of it is stored."""

    __tablename__ = "sign_in"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)

    account: Mapped[Account] = relationship(lazy="joined")
