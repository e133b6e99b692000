"""Accounts: sign in by a mailed link, stay signed in, be the owner."""

from app.accounts.access import or_metrics_token, owner_only, public, signed_in
from app.accounts.models import Account
from app.accounts.pages import blueprint
from app.accounts.sessions import current_account, hold

__all__ = ["Account", "blueprint", "current_account", "hold", "or_metrics_token", "owner_only", "public", "signed_in"]
