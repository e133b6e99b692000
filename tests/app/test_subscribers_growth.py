"""Who came and who left: in each week, and by a link of each issue. Nobody is counted twice, or named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from quart import Quart
from sqlalchemy import select

from app.database import Database
from app.digest.models import Delivery, Digest, Step
from app.digest.models import State as DigestState
from app.subscribers import growth
from app.subscribers.links import list_headers, unsubscribe_url
from app.subscribers.models import Kind, Movement, State, Subscriber
from tests.app.visitor import Visitor

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_weeks_begin_on_monday_in_the_reader_s_zone(database: Database) -> None:
    """The clocks of Berlin went forward on the Sunday before."""
    moments = {
        datetime(2026, 3, 29, 22, tzinfo=UTC): Kind.CONFIRMED,  # Monday at 0:00
        datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC): Kind.CONFIRMED,
        datetime(2026, 3, 22, 23, tzinfo=UTC): Kind.LEFT,
        datetime(2026, 3, 22, 22, 59, 59, tzinfo=UTC): Kind.LEFT,
        NOW - timedelta(weeks=20): Kind.CONFIRMED,
    }
    async with database.session() as db:
        db.add_all(Movement(at=at, kind=kind) for at, kind in moments.items())
        await db.commit()

        weeks = await growth.by_week(db, BERLIN, NOW)

    assert len(weeks) == growth.WEEKS
    assert [(week.monday, week.confirmed, week.left) for week in weeks[:4]] == [
        (date(2026, 3, 30), 1, 0),
        (date(2026, 3, 23), 1, 1),
        (date(2026, 3, 16), 0, 1),
        (date(2026, 3, 9), 0, 0),
    ]


async def add(app: Quart, *rows: object) -> None:
    async with app.extensions["database"].session() as db:
        db.add_all(rows)
        await db.commit()


async def movements(app: Quart) -> list[tuple[str, int | None]]:
    async with app.extensions["database"].session() as db:
        found = await db.execute(select(Movement.kind, Movement.issue).order_by(Movement.id))
        return [(kind, issue) for kind, issue in found]


@pytest.mark.parametrize(
    ("query", "issue"),
    [
        ("", None), ("?issue=7", 7), ("?issue=", None), ("?issue=x", None), ("?issue=-1", None),
        ("?issue=99999999999", None), ("?issue=7&issue=8", 7),
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["one click", "button", "forget"])
async def test_whatever_the_link_says_of_its_issue_it_unsubscribes(
    app: Quart, visitor: Visitor, query: str, issue: int | None, way: str
) -> None:
    """Links of mails that were sent before there were issues have no such part."""
    reader = Subscriber(email="reader@example.org", state=State.CONFIRMED)
    await add(app, reader)
    path = urlsplit(unsubscribe_url(reader, visitor.settings)).path

    for _ in range(2):  # pressed twice
        if way == "one click":
            click = {"List-Unsubscribe": "One-Click"}
            assert (await app.test_client(use_cookies=False).post(path + query, form=click)).status_code == 200
        elif way == "button":
            assert (await visitor.post(path + query)).status_code == 200
        else:
            response = await visitor.post(f"{path}/forget{query}", page=path + query)
            assert response.status_code in (200, 403)  # then its page, and so its token, is gone

    assert await movements(app) == [(Kind.LEFT, issue)]


async def test_the_page_carries_the_issue_to_both_buttons(app: Quart, visitor: Visitor) -> None:
    reader = Subscriber(email="reader@example.org", state=State.CONFIRMED)
    await add(app, reader)
    url = unsubscribe_url(reader, visitor.settings, 7)
    assert list_headers(reader, visitor.settings, 7)["List-Unsubscribe"] == f"<{url}>"
    assert url.endswith("?issue=7")

    await visitor.get(url.removeprefix(visitor.settings.base_url))

    assert "" in visitor.marks.actions, "the form is sent to the page's own address"
    path = urlsplit(url).path
    assert f'formaction="{path}/forget?issue=7"' in visitor.text


async def test_an_issue_counts_who_left_by_its_link(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    readers = [Subscriber(email=f"reader{n}@example.org", state=State.CONFIRMED) for n in range(3)]
    await add(app, Digest(run="run", number=1, state=DigestState.DONE), *readers)
    now = datetime.now(UTC)
    sent = {"digest_id": 1, "step": Step.SENT, "next_try_at": now, "sent_at": now}
    await add(app, *(Delivery(subscriber_id=reader.id, **sent) for reader in readers))
    for reader, issue in zip(readers, (1, 1, None), strict=True):
        url = unsubscribe_url(reader, owner.settings, issue)
        await visitor.post(url.removeprefix(owner.settings.base_url))

    for page in ("/digest/", "/digest/1"):
        await owner.get(page)
        assert owner.marks.counts["sent"] == 3
        assert owner.marks.counts["unsubscribed"] == 2
    await owner.get("/subscribers")
    assert (owner.marks.counts["came"], owner.marks.counts["went"]) == (0, 3)


async def test_who_was_never_confirmed_or_had_left_does_not_leave(app: Quart, owner: Visitor) -> None:
    for n, state in enumerate(State, 1):
        await add(app, Subscriber(email=f"{state}@example.org", state=state))
        await owner.post(f"/subscribers/{n}/remove", page=f"/subscribers/{n}")

    assert await movements(app) == [(Kind.LEFT, None)]
