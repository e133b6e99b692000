"""Every route of the site with something real behind it, for tests that try them all.

A new route without a variable part is tried by itself; one with needs a line in `_values`, and a row in `furnish`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quart import Quart
from sqlalchemy import select

from app.accounts.links import sign_in_link
from app.accounts.models import Account
from app.blog import Post
from app.blog.models import PostTag
from app.blog.pictures.models import Picture
from app.digest.models import Digest
from app.digest.models import State as DigestState
from app.embedded.catcher import store
from app.embedded.key import make_key
from app.playground.orders.links import answer_url as order_url
from app.playground.pages import EXAMPLES
from app.reminders.calendar.models import Calendar
from app.reminders.consents.links import answer_url, stop_url
from app.reminders.consents.models import Consent
from app.reminders.models import Reminder
from app.reminders.replies.links import reply_url
from app.subscribers.links import unsubscribe_url
from app.subscribers.models import Import, State, Subscriber
from app.web.template_words import MONITOR
from settings import Settings
from tests.app.visitor import TOKEN, Visitor

ASK_FOR_ONE = {
    f"/monitor/{what}"
    for what in (
        *("ask", "job", "job/edit", "error", "many/plan", "worker", "worker/stack", "task", "task/run", "workflow"),
        *("queue/purge", "schedule/run", "schedule/backfill", "task/limits"),
    )
}
"""Pages that show the one whose id or name is asked for: without it there is nothing, for the owner too."""


@dataclass(frozen=True)
class Route:
    """One method of one address. `access` is "public", "signed_in", "owner", or "inbox": for the browser that has its
    key; `owned`: it shows a row of Alice's; `feature` is the folder of app/ that it belongs to;
    `has_token`: its address is a secret link.
    """

    method: str
    path: str
    access: str
    owned: bool
    without_csrf: bool
    feature: str = ""
    has_token: bool = False

    @property
    def signs(self) -> bool:
        """Whether it signs somebody in or out."""
        return self.method == "POST" and self.path.startswith("/sign-")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def has_fault(path: str, status: int) -> bool:
    """Is something broken? Not where /readyz says that no worker runs: none does in these tests."""
    return status >= 500 and (path, status) != ("/readyz", 503)


async def furnish(app: Quart) -> list[Route]:
    """Write a row of each kind, those that belong to somebody to alice@example.org; all routes that lead to them."""
    values = await _values(app)
    return [
        Route(
            method,
            prefix + _address(rule, values),
            access_of(rule, view),
            "pk" in rule.arguments and getattr(view, "access", "") == "signed_in",
            getattr(view, "without_csrf", False),
            rule.endpoint.partition(".")[0],
            "token" in rule.arguments,
        )
        for prefix, rule, view in rules(app)
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})
    ]


async def token_for(visitor: Visitor, route: Route) -> str:
    """That of the page they look at. The monitor has a cookie, and a token, of its own."""
    if route.feature != "monitor" or route.method == "GET":
        return visitor.token()
    page = await (await visitor.client.get("/monitor/queues")).get_data(as_text=True)
    return "".join(TOKEN.findall(page)[:1])


def inbox_key(settings: Settings) -> str:
    """The key of the site's inbox, made now if it has none."""
    path = settings.data_dir / "inbox_key"
    return path.read_text() if path.exists() else make_key(settings)


def _address(rule: Any, values: dict[str, Any]) -> str:
    given = {}
    for variable in rule.arguments:
        name = f"{rule.endpoint} {variable}"
        if name not in values:
            name = f"{rule.endpoint.split('.')[0]} {variable}"
        assert name in values, f"{rule.rule}: add {name!r} to `_values` in {__file__}"
        given[variable] = values[name]
    built: tuple[str, str] = rule.build(given)
    return built[1]


def rules(app: Quart) -> Iterator[tuple[str, Any, Any]]:
    """Where each application is mounted, its rules and their views: the site's, and the monitor's.

    Those of the monitor's API, which has no forms, are in tests/jobs/monitor_site/test_api_access.py.
    """
    for prefix, one in (("", app), (MONITOR, app.extensions["monitor"])):
        for rule in one.url_map.iter_rules():
            if rule.endpoint != "static" and not rule.endpoint.startswith("api."):
                yield prefix, rule, one.view_functions[rule.endpoint]


def access_of(rule: Any, view: Any) -> str:
    """Who may open it: what its view is marked with. All of the monitor is for the owner."""
    if rule.endpoint.startswith("inbox."):
        return "inbox"
    return "owner" if rule.endpoint.startswith("monitor.") else getattr(view, "access", "nobody")


async def _values(app: Quart) -> dict[str, Any]:
    """What stands for each variable of each feature's routes."""
    settings, now = app.extensions["settings"], datetime.now(UTC)
    link = await sign_in_link(settings, "new@example.org")
    async with app.extensions["database"].transaction() as db:
        alice = await db.scalar(select(Account).where(Account.email == "alice@example.org"))
        assert alice is not None, "sign Alice in first"
        post = Post(title="First", text="Words", published_at=now)
        reminder = Reminder(account_id=alice.id, email=alice.email, text="Alice's own", date=now)
        subscriber = Subscriber(email="reader@example.org", state=State.CONFIRMED, confirmed_at=now)
        digest = Digest(run="run", state=DigestState.PAUSED, number=1)
        consent = Consent(account_id=alice.id, email="bob@example.org")
        post.tags.append(PostTag(slug="a-tag", name="A tag", place=0))
        picture = Picture(name=f"{'0' * 32}.png", alt="", width=1, height=1, size=1)
        calendar = Calendar(account_id=alice.id)
        calendar.renew()
        imported = Import()
        db.add_all([imported, picture, post, reminder, subscriber, digest, consent, calendar])
        await db.flush()
        values = {
            "accounts token": link.rpartition("/")[2],
            "blog pk": post.id,
            "blog slug": post.slug,
            "blog.tagged slug": "a-tag",
            "blog name": picture.name,
            "blog tab": "a-tab-of-the-owner",
            "calendar pk": alice.id,
            "calendar token": calendar.url(settings).rpartition("/")[2].removesuffix(".ics"),
            "consents pk": consent.id,
            "consents token": answer_url(consent, settings).rpartition("/")[2],
            "consents.show_stop token": stop_url(consent, settings).rpartition("/")[2],
            "consents.stop token": stop_url(consent, settings).rpartition("/")[2],
            "digest action": "pause",
            "digest pk": digest.id,
            "issues number": digest.number,
            "orders pk": alice.id,
            "orders number": 12_345_678,
            "orders token": order_url(alice, 12_345_678, settings).rpartition("/")[2],
            "playground name": next(iter(EXAMPLES)),
            "reminders pk": reminder.id,
            "replies pk": reminder.id,
            "replies token": reply_url(reminder, settings).rpartition("/")[2],
            "subscribers pk": subscriber.id,
            "subscribers.show_import pk": imported.id,
            "subscribers.stop_import pk": imported.id,
            "subscribers token": unsubscribe_url(subscriber, settings).rpartition("/")[2],
        }
    pictures = settings.data_dir / "pictures"
    pictures.mkdir(exist_ok=True)
    (pictures / picture.name).write_bytes(b"x")
    mails = settings.data_dir / "mail"
    mails.mkdir(exist_ok=True)
    inbox_key(settings)
    mail = store(mails, "a@example.org", ["b@example.org"], b"Content-Type: text/html\r\n\r\n<p>x</p>\r\n")
    return values | {"inbox name": mail.stem}
