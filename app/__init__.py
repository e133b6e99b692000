"""The web application: `create_app(settings)` combines the features, for pages and for workers."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from quart import Quart

from app import about, accounts, blog, health, metrics, security
from app.accounts import access, sessions
from app.context import close, connected
from app.database import Database
from app.digest import blueprint as digest
from app.digest import public as issues
from app.embedded import inbox, key
from app.first_steps import pages as first_steps
from app.mail import Mailer
from app.migrations import upgrade
from app.mounting import mount_monitor
from app.playground import pages as playground
from app.playground.orders import pages as orders
from app.privacy import pages as privacy
from app.private_files import own_settings
from app.reminders import saving as reminders
from app.reminders.calendar import pages as calendar
from app.reminders.consents import pages as consents
from app.reminders.replies import pages as replies
from app.subscribers import blueprint as subscribers
from app.subscribers import import_pages
from app.web import error_pages, template_words
from app.web.rate_limits import RateLimits
from jobs.monitor_site.web import at_once, forms, limits
from settings import Settings

BLUEPRINTS = (
    health.blueprint,
    metrics.blueprint,
    blog.blueprint,
    first_steps.blueprint,
    about.blueprint,
    accounts.blueprint,
    reminders.blueprint,
    digest,
    issues.blueprint,
    subscribers,
    playground.blueprint,
    orders.blueprint,
    consents.blueprint,
    replies.blueprint,
    calendar.blueprint,
    privacy.blueprint,
)
"""The pages of each feature. The inbox has its own condition."""
FILES_AT = {blog.pictures.ADDRESS: blog.pictures.MOST_BYTES, import_pages.ADDRESS: import_pages.MOST_BYTES}
"""The forms that take a file, with the bytes of their bodies."""


def create_app(settings: Settings | None = None) -> Quart:
    """The app with these settings, the environment's by default. Connects to nothing before it serves."""
    settings = settings or own_settings()
    app = Quart(__name__)
    app.secret_key = settings.secret_key
    app.extensions["settings"] = settings
    app.extensions["database"] = Database(settings.database_url)
    app.extensions["mailer"] = Mailer.of(settings)
    app.extensions["rate_limits"] = RateLimits(settings.redis_url, settings.secret_key)

    if settings.embedded_mail:
        key.protect(app)
    security.protect(app, find_account=sessions.prepare, check_access=access.protect)
    limits.take_files(app, FILES_AT)
    at_once.prepare(app)
    forms.prepare(app)
    template_words.prepare(app)
    error_pages.prepare(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    if settings.embedded_mail:
        app.register_blueprint(inbox.blueprint)

    mount_monitor(app)

    @app.while_serving
    async def serve() -> AsyncGenerator[None, None]:
        await upgrade(settings)
        async with connected(app):
            yield
        await close(app)

    return app
