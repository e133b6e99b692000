"""Limits on the mail that each action causes: per account, per recipient, per client, for the whole site.

Every function that sends a mail has a row here, and so has every route that leads to one. Tests check that.
A request over a limit is refused with a message, or its mail waits. docs/mail.md shows the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.web.clients import client_networks
from app.web.rate_limits import Limit, current_rate_limits

MINUTE, HOUR, DAY = 60, 3600, 86_400
SHARE_OF_NETWORK = 4
"""The limit for an IPv6 /48, in multiples of one client's. A customer with a /48 has 65,536 clients."""

RUN_AGAIN = (
    "monitor.retry_job", "monitor.run_edited", "monitor.run_task", "monitor.start_plan", "monitor.continue_plan",
    "monitor.run_job_from",
)  # fmt: skip
"""The pages of the monitor that run jobs again, one or many. They have no limit of their own: each mail was counted
when it was asked for, and claims its row before it leaves, so that it leaves once however many jobs run again. The
mail of an order has no row, and leaves three times at most."""

Allowances = tuple[tuple[int, int], ...]
"""Pairs (n, period in seconds): n mails at once, then n more per period."""


@dataclass(frozen=True)
class Action:
    """One kind of mail. Redis counts the pairs (see `Limit`). `besides` describes limits that are kept elsewhere."""

    sent_by: str
    """The function that sends the mail."""
    routes: tuple[str, ...] = ()
    """The endpoints of the pages that cause the mail."""
    by_account: Allowances = ()
    by_recipient: Allowances = ()
    by_client: Allowances = ()
    by_site: Allowances = ()
    besides: str = ""


ACTIONS = {
    "sign-in": Action(
        sent_by="app.accounts.mails.sign_in_link",
        routes=("accounts.ask_for_link",),
        by_recipient=((1, MINUTE), (6, HOUR)),
        by_client=((30, HOUR),),
        by_site=((1_000, HOUR),),
        besides="addresses that have an account do not count for the site",
    ),
    "subscribe": Action(
        sent_by="app.subscribers.delivery.send",
        routes=("subscribers.ask",),
        by_recipient=((10, DAY),),
        by_client=((20, HOUR),),
        by_site=((1_000, HOUR),),
        besides="at most one email to an address in 24 hours",
    ),
    "import": Action(
        sent_by="app.subscribers.delivery.send",
        routes=("subscribers.import_file",),
        besides="by the owner, 20,000 addresses in a file; 16 emails a minute, one to each address that was not known",
    ),
    "consent": Action(
        sent_by="app.reminders.consents.requests.send",
        routes=("reminders.create", "reminders.save"),
        by_account=((10, DAY),),
        by_client=((30, DAY),),
        by_site=((1_000, DAY),),
        besides="at most one email to an address in 24 hours from all accounts; the next one waits",
    ),
    "reminder": Action(
        sent_by="app.reminders.delivery._send",
        routes=("reminders.create", "reminders.save", "reminders.cancel", "replies.answer"),
        by_account=((100, DAY),),
        by_site=((10_000, HOUR),),
        besides="to the account's own address; an account has at most 2,000 upcoming",
    ),
    "reminder-to-others": Action(
        sent_by="app.reminders.delivery._send",
        routes=("reminders.create", "reminders.save", "reminders.cancel", "replies.answer", "consents.answer"),
        by_account=((50, DAY),),
        by_site=((1_000, HOUR),),
        besides="at most 20 to an address in 24 hours from all accounts (the next one waits), with its consent only",
    ),
    "missed": Action(
        sent_by="app.reminders.missed.mail_author",
        besides="at most one an hour to an account, which lists all that were missed",
    ),
    "digest": Action(
        sent_by="app.digest.batch.Batch._send",
        routes=("digest.run_now", "digest.act", "monitor.run_schedule", "monitor.backfill_schedule", *RUN_AGAIN),
        by_account=((60, HOUR),),
        besides="at most 10 digests in 24 hours; one email of each to a subscriber; `DIGEST_RATE` a second",
    ),
    "digest-test": Action(
        sent_by="app.digest.tasks.send_test",
        routes=("digest.test",),
        by_account=((10, HOUR),),
        besides="to the owner only",
    ),
    "order": Action(
        sent_by="app.playground.orders.mails.ask",
        routes=("orders.start",),
        by_account=((10, HOUR),),
        by_site=((1_000, HOUR),),
        besides="to the account's own address; one order at a time, whose email leaves three times a day at most",
    ),
    "digest-trouble": Action(
        sent_by="app.digest.trouble.tell_owner", besides="one to the owner each time a digest is started"
    ),
}


async def take(name: str, *, account: int | None = None, recipient: str | None = None, shared: bool = True) -> int:
    """Count one mail of this action against all of its limits. Returns 0 if it may leave, or the seconds to wait.

    Without *shared* the limit of the site does not count. Raises RateLimitsUnavailable if Redis does not answer.
    """
    found = [*_of(name, "account", ACTIONS[name].by_account, "" if account is None else str(account))]
    found += _of(name, "recipient", ACTIONS[name].by_recipient, recipient or "")
    found += of_clients(name)
    if shared:
        found += of_site(name)
    return await current_rate_limits().take(*found)


def of_site(name: str) -> list[Limit]:
    """The limits of the whole site."""
    return [*_of(name, "site", ACTIONS[name].by_site, "all")]


def of_clients(name: str) -> list[Limit]:
    """The limits of the client of this request, and of its network."""
    allowances = ACTIONS[name].by_client
    if not allowances:
        return []
    client, *network = client_networks()
    found = [*_of(name, "client", allowances, client)]
    for subject in network:
        larger = tuple((times * SHARE_OF_NETWORK, period) for times, period in allowances)
        found += _of(name, "network", larger, subject)
    return found


def _of(name: str, whose: str, allowances: Allowances, subject: str) -> Iterator[Limit]:
    for times, period_s in allowances:
        assert subject, f"{name} is limited by {whose}: pass its {whose}"
        yield Limit(f"{name}-{whose}-{period_s}", subject, times=times, period_s=period_s)
