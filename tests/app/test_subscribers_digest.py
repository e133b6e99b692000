"""Subscribers and real digests: the way out that a mail program offers, and an address that is refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from quart import Quart

from app.database import Database
from app.subscribers.models import State, Subscriber
from settings import Settings
from tests.app.digests import DigestSite, digest_site
from tests.app.visitor import Visitor


@pytest.fixture
async def site(settings: Settings, database: Database) -> AsyncIterator[DigestSite]:
    object.__setattr__(settings, "digest_rate", 10_000)
    async with digest_site(settings) as here:
        await here.subscribe(2)
        yield here


async def send_digest(site: DigestSite, run: str) -> None:
    await site.publish(f"News of {run}")
    await site.round(await site.begin(run))


async def first(site: DigestSite) -> Subscriber:
    async with site.database.session() as db:
        return await db.get_one(Subscriber, 1)


async def test_the_one_click_of_a_mail_program_ends_the_digest_for_its_reader(site: DigestSite, app: Quart) -> None:
    """From the bytes of the mail: both headers whole, each on its line. A POST of what RFC 8058 says, without cookie,
    is answered with 200; the next digest goes to the other subscriber only."""
    await send_digest(site, "one")
    [mail] = [mail for mail in site.smtp.accepted if mail.recipients == ["reader0@example.org"]]
    head = mail.raw.partition(b"\r\n\r\n")[0].decode("ascii")
    [link] = re.findall(r"^List-Unsubscribe: <(\S+)>\r?$", head, re.MULTILINE)
    [body] = re.findall(r"^List-Unsubscribe-Post: (\S+)\r?$", head, re.MULTILINE)

    response = await app.test_client(use_cookies=False).post(
        urlsplit(link).path, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    await send_digest(site, "two")

    assert body == "List-Unsubscribe=One-Click"
    assert response.status_code == 200
    assert (await first(site)).state == State.UNSUBSCRIBED
    assert site.mailed == {"reader0@example.org": 1, "reader1@example.org": 2}


async def test_an_address_that_refuses_three_digests_gets_no_fourth_and_the_owner_sees_why(
    site: DigestSite, app: Quart, owner: Visitor
) -> None:
    for refusals, run in enumerate(("one", "two", "three"), start=1):
        site.smtp.script["rcpt"] = ["552 5.2.2 mailbox full"]
        await send_digest(site, run)
        assert (await first(site)).refusals == refusals
    await send_digest(site, "four")

    assert (await first(site)).state == State.SUPPRESSED
    assert site.mailed == {"reader1@example.org": 4}
    await owner.get("/subscribers?state=suppressed")
    assert "reader0@example.org" in owner.text
    assert "The mail server answered: 552 5.2.2 mailbox full" in owner.text
