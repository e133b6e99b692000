"""The HTML of a mail inside a page: in a frame that may do nothing."""

from __future__ import annotations

from quart import Response

# A mail is somebody else's HTML: no scripts, no forms, nothing loaded; links open in a tab of their own.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
POLICY = f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'self'"


def mail(html: str) -> Response:
    """The answer for `<iframe sandbox="{{ sandbox }}">`; harmless when opened by itself too."""
    response = Response('<!doctype html><base target="_blank">' + html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
