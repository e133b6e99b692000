"""Tokens in mailed links: derived from SECRET_KEY, each valid for one purpose, and never stored.

So the task that mails a link needs only the id of its row, and each try mails the same link.
"""

from __future__ import annotations

import base64
import hmac


def derive(secret_key: str, purpose: str, nonce: str) -> str:
    """256 bits in 43 URL-safe characters. *purpose* names what the token permits, and for which object."""
    digest = hmac.digest(secret_key.encode(), f"{purpose} {nonce}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def fits(token: str, secret_key: str, purpose: str, nonce: str) -> bool:
    """Whether *token* belongs to this purpose and nonce. Compares in constant time."""
    return hmac.compare_digest(token.encode(), derive(secret_key, purpose, nonce).encode())
