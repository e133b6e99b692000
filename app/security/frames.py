"""The HTML of a mail inside a page, in a sandboxed frame."""

from __future__ import annotations

from quart import Response

# The HTML of a mail is untrusted: no scripts, no forms, no loading. Links open in a new tab.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
POLICY = f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'self'"


def mail(html: str) -> Response:
    """The response for `<iframe sandbox="{{ sandbox }}">`. Harmless when opened outside of it."""
    response = Response('<!doctype html><base target="_blank">' + html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
