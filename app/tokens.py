"""Tokens in mailed links: derived from SECRET_KEY, each good for one purpose, and stored nowhere.

The task that mails a link needs only its row's id, and each try mails the same link.
"""

from __future__ import annotations

import base64
import hmac


def derive(secret_key: str, purpose: str, nonce: str) -> str:
    """256 bits in 43 characters that may stand in an address. *purpose* names what the token may do, and for what."""
    digest = hmac.digest(secret_key.encode(), f"{purpose} {nonce}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def fits(token: str, secret_key: str, purpose: str, nonce: str) -> bool:
    """Whether *token* is the one of this purpose and nonce; how nearly cannot be told from the time it takes."""
    return hmac.compare_digest(token.encode(), derive(secret_key, purpose, nonce).encode())
