"""Headers of every response: what a page may load, who may frame it, who may cache it."""

from __future__ import annotations

from quart import Quart, Response, request, session

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "manifest-src 'self'",
        "object-src 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def protect(app: Quart, *, https: bool = False, private: bool = False) -> None:
    """Add the headers to every response.

    *https*: tell browsers to use nothing else for this host. *private*: no page may be stored, without a session too.
    """

    @app.after_request
    async def add_headers(response: Response) -> Response:
        """Add the headers. A view may set its own instead, except that a response within a session is never cached."""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if https:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        if "immutable" in response.headers.get("Cache-Control", ""):
            return response  # the same for everybody, within a session too
        if request.endpoint != "static" or response.status_code >= 400:
            # Quart 0.22 sets no Vary for a page that only reads the session.
            response.vary.add("Cookie")
            if session or private:
                response.headers["Cache-Control"] = "no-store"
            else:
                response.headers.setdefault("Cache-Control", "no-cache")
        return response
