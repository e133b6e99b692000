"""Subscribing, confirming, unsubscribing and being forgotten: what the pages answer, and what they change."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import select, update

from app import create_app
from app.context import close
from app.database import Database
from app.mail_limits import of_site
from app.subscribers import links
from app.subscribers.models import State, Subscriber
from app.web.rate_limits import RateLimits
from settings import Settings
from tests.app.visitor import Visitor
from tests.redis_server import RedisServer

EMAIL = "bob@example.org"
ONE_CLICK = "List-Unsubscribe=One-Click"
URLENCODED = ("application/x-www-form-urlencoded", ONE_CLICK.encode())
MULTIPART = (
    "multipart/form-data; boundary=cut",
    b'--cut\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--cut--\r\n',
)
SATURDAY = re.compile(r"Saturday, \d+ \w+ \d{4}, 10:00 \(UTC\)")


async def add(app: Quart, state: State = State.CONFIRMED, email: str = EMAIL, **values: Any) -> Subscriber:
    now = datetime.now(UTC)
    known = {"asked_at": now, "confirmed_at": now if state != State.ASKED else None}
    subscriber = Subscriber(email=email, state=state, **(known | values))
    stored: Database = app.extensions["database"]
    async with stored.transaction() as db:
        db.add(subscriber)
    return subscriber


async def read(app: Quart, email: str = EMAIL) -> Subscriber | None:
    stored: Database = app.extensions["database"]
    async with stored.session() as db:
        return (await db.scalars(select(Subscriber).where(Subscriber.email == email))).one_or_none()


async def state(app: Quart) -> str:
    found = await read(app)
    return found.state if found else "gone"


async def confirm_path(app: Quart) -> str:
    found = await read(app)
    assert found is not None
    return urlsplit(links.confirm_url(found, app.extensions["settings"])).path


def unsubscribe_path(app: Quart, subscriber: Subscriber) -> str:
    return urlsplit(links.unsubscribe_url(subscriber, app.extensions["settings"])).path


async def one_click(app: Quart, path: str, how: tuple[str, bytes] = URLENCODED) -> tuple[int, str | None]:
    """As a mail program does it: no cookie, no page before."""
    client = app.test_client(use_cookies=False)
    response = await client.post(path, data=how[1], headers={"Content-Type": how[0]})
    return response.status_code, response.location


async def test_a_subscriber_confirms_by_the_mailed_link(app: Quart, visitor: Visitor) -> None:
    """The answer names the next digest's day, time and zone."""
    response = await visitor.post("/subscribe", email="Bob@Example.org")
    assert response.status_code == 200
    assert EMAIL in visitor.text
    assert visitor.settings.smtp_from in visitor.text
    assert await state(app) == State.ASKED

    path = await confirm_path(app)
    assert (await visitor.get(path)).status_code == 200
    assert await state(app) == State.ASKED
    assert (await visitor.post(path)).status_code == 200

    assert await state(app) == State.CONFIRMED
    assert SATURDAY.search(visitor.text)
    assert (await visitor.get(path)).status_code == 200
    assert SATURDAY.search(visitor.text)


async def test_the_next_digest_s_time_is_told_in_the_site_s_zone(app: Quart, charlie: Visitor) -> None:
    """Also to an account in another zone."""
    await charlie.post("/subscribe", email=EMAIL)

    await charlie.post(await confirm_path(app))

    assert SATURDAY.search(charlie.text)


@pytest.mark.both_databases("a claim in SQL decides")
async def test_the_button_pressed_twice_confirms_once(app: Quart, visitor: Visitor) -> None:
    await visitor.post("/subscribe", email=EMAIL)
    path = await confirm_path(app)
    await visitor.get(path)
    token = visitor.token()

    answers = [await visitor.client.post(path, form={"csrf_token": token}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]


async def test_the_form_at_the_foot_of_a_page_needs_no_cookie(app: Quart, visitor: Visitor) -> None:
    response = await visitor.get("/about")
    assert 'action="/subscribe"' in visitor.text
    assert "Set-Cookie" not in response.headers

    response = await visitor.client.post("/subscribe", form={"email": EMAIL}, headers={"Origin": "http://localhost"})

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    assert await state(app) == State.ASKED


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}], ids=str
)
async def test_no_other_site_can_send_it(app: Quart, headers: dict[str, str]) -> None:
    response = await app.test_client().post("/subscribe", form={"email": EMAIL}, headers=headers)

    assert response.status_code == 403
    assert await state(app) == "gone"


async def test_an_account_finds_its_address_in_the_form(app: Quart, alice: Visitor) -> None:
    await alice.get("/about")
    assert 'value="alice@example.org"' in alice.text

    await alice.post("/subscribe", email="alice@example.org")

    found = await read(app, "alice@example.org")
    assert found is not None
    assert found.state == State.ASKED


async def test_a_subscribed_account_is_offered_no_second_subscription(app: Quart, alice: Visitor) -> None:
    reader = await add(app, email="alice@example.org")

    await alice.get("/about")

    assert 'action="/subscribe"' not in alice.text
    assert f'{unsubscribe_path(app, reader)}">Unsubscribe</a>' in alice.text
    await alice.post(unsubscribe_path(app, reader))
    await alice.get("/about")
    assert 'action="/subscribe"' in alice.text


async def test_the_answer_is_the_same_whatever_is_known_of_the_address(app: Quart) -> None:
    """Nobody can find out who reads the digest."""
    for known in State:
        await add(app, known, f"{known}@example.org")

    answers = set()
    for name in (*State, "unknown", "unknown"):
        somebody = Visitor(app)
        response = await somebody.post("/subscribe", email=f"{name}@example.org")
        text = somebody.text.replace(f"{name}@", "X@")
        answers.add((response.status_code, response.headers["Cache-Control"], text))

    assert len(answers) == 1


async def test_only_an_address_that_may_be_mailed_is_mailed(app: Quart, visitor: Visitor, redis: Redis) -> None:
    """No mail to an unconfirmed address beyond one confirmation in 24 hours; none to a suppressed one."""
    for _ in range(5):
        await visitor.post("/subscribe", email=EMAIL)
    await add(app, State.SUPPRESSED, "gone@example.org")
    await visitor.post("/subscribe", email="gone@example.org")

    assert await redis.zcard("arq:queue:mail") == 1


async def test_neither_address_nor_token_is_written_to_redis(app: Quart, visitor: Visitor, redis: Redis) -> None:
    await visitor.post("/subscribe", email=EMAIL)
    token = (await confirm_path(app)).rpartition("/")[2]

    dump = b""
    for key in await redis.keys("*"):
        dump += key + (await redis.dump(key) or b"")

    assert b"subscribers.send_confirmation" in dump
    assert b"bob" not in dump
    assert token.encode() not in dump


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "bob",
        "bob@localhost@x.org",
        "a@x.org, b@y.org",
        "<a@x.org>,b@y.org",
        '"x\r\n"@y.org',
        "bob@example.org\r\nBcc: victim@example.org",
        "bob@example.org\rBcc: victim@example.org",
        "bob\n@example.org",
        "bob@exam\u2028ple.org",
        "bob\x0b@example.org",
        "bob\x0c@example.org",
        "bob\x00@example.org",
        "=?utf-8?q?x=0ABcc:_victim=40example.com?=@example.org",
        "=?utf-8?b?eApCY2M6IHZAeS5jb20=?=",
        "böb@example.org",
        "b" * 65 + "@example.org",
        "bob@" + "b" * 250 + ".org",
        "b" * 10_000 + "@example.org",
    ],
    ids=lambda typed: ascii(typed)[:30],
)
async def test_what_is_not_one_address_is_refused(app: Quart, visitor: Visitor, typed: str) -> None:
    """Line breaks, encoded words, several addresses, other letters, too long ones: nothing that could become
    a header or a second recipient gets past the form. What was typed stays in the field."""
    response = await visitor.post("/subscribe", email=typed)

    assert response.status_code == 400
    assert 'aria-invalid="true"' in visitor.text or "\0" in typed
    stored: Database = app.extensions["database"]
    async with stored.session() as db:
        assert (await db.scalars(select(Subscriber))).all() == []


async def test_one_client_cannot_mail_everybody(app: Quart, visitor: Visitor) -> None:
    codes = [(await visitor.post("/subscribe", email=f"n{n}@example.org")).status_code for n in range(21)]

    assert codes == [200] * 20 + [429]
    assert visitor.marks.errors == ["too-often"]


async def test_many_clients_together_cannot_mail_everybody(app: Quart) -> None:
    """A breaker for the whole site: a thousand at once, a thousand an hour."""
    rate_limits: RateLimits = app.extensions["rate_limits"]
    for _ in range(999):
        assert not await rate_limits.take(*of_site("subscribe"))

    codes = [(await Visitor(app).post("/subscribe", email=f"n{n}@example.org")).status_code for n in range(2)]

    assert codes == [200, 429]


async def test_an_address_cannot_be_asked_for_all_day(app: Quart) -> None:
    codes = [(await Visitor(app).post("/subscribe", email=EMAIL)).status_code for _ in range(11)]

    assert codes == [200] * 10 + [429]


async def test_without_redis_nobody_is_subscribed_and_the_page_says_so(
    app: Quart, visitor: Visitor, redis_server: RedisServer
) -> None:
    """Fails closed: nobody knows how often it was asked for."""
    await visitor.get("/subscribe")
    redis_server.stop()
    try:
        response = await visitor.post("/subscribe", email=EMAIL)
    finally:
        redis_server.start()

    assert response.status_code == 503
    assert visitor.marks.errors == ["no-mail-now"]
    assert f'value="{EMAIL}"' in visitor.text
    assert await state(app) == "gone"


async def test_a_mail_that_cannot_be_queued_stays_due(settings: Settings, database: Database) -> None:
    """The page has said that it is on its way: the sweep sends it."""
    app = create_app(settings)  # not started, so it has no queue

    response = await Visitor(app).post("/subscribe", email=EMAIL)

    assert response.status_code == 200
    found = await read(app)
    assert found is not None
    assert found.mail_due_at is not None
    await close(app)


async def test_a_confirmation_link_is_over_after_a_week_and_when_it_is_asked_for_anew(
    app: Quart, visitor: Visitor
) -> None:
    old = await add(app, State.ASKED, asked_at=datetime.now(UTC) - timedelta(days=7, seconds=1))
    path = urlsplit(links.confirm_url(old, visitor.settings)).path

    assert (await visitor.get(path)).status_code == 410
    assert visitor.marks.errors == ["link-over"]
    assert (await visitor.post(path)).status_code == 410
    await visitor.post("/subscribe", email=EMAIL)
    assert (await visitor.get(path)).status_code == 410
    assert (await visitor.get(await confirm_path(app))).status_code == 200


async def test_an_old_confirmation_link_brings_nobody_back(app: Quart, visitor: Visitor) -> None:
    subscriber = await add(app, State.ASKED)
    path = await confirm_path(app)
    await visitor.post(path)
    await one_click(app, unsubscribe_path(app, subscriber))

    assert (await visitor.post(path)).status_code == 410
    assert await state(app) == State.UNSUBSCRIBED


@pytest.mark.parametrize("how", [URLENCODED, MULTIPART], ids=["urlencoded", "multipart"])
async def test_one_click_of_a_mail_program_unsubscribes(app: Quart, how: tuple[str, bytes]) -> None:
    """RFC 8058: a POST without cookie or token of a form is answered with 200, without redirect, and done at once."""
    path = unsubscribe_path(app, await add(app))

    assert await one_click(app, path, how) == (200, None)

    assert await state(app) == State.UNSUBSCRIBED


@pytest.mark.both_databases("one UPDATE or INSERT decides by the row's state")
async def test_one_click_a_hundred_times_is_one(app: Quart) -> None:
    path = unsubscribe_path(app, await add(app))
    await one_click(app, path)
    first = await read(app)

    answers = await asyncio.gather(*(one_click(app, path, (URLENCODED, MULTIPART)[n % 2]) for n in range(99)))

    assert set(answers) == {(200, None)}
    last = await read(app)
    assert first is not None
    assert last is not None
    assert last.ended_at == first.ended_at


async def test_looking_at_a_link_changes_nothing(app: Quart) -> None:
    """Mail scanners open every link of a mail, and some ask with HEAD first."""
    subscriber = await add(app)
    paths = [unsubscribe_path(app, subscriber), await confirm_path(app)]
    before = await read(app)
    assert before is not None

    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS"):
            response = await app.test_client(use_cookies=False).open(path, method=method)
            assert response.status_code == 200
    assert (await app.test_client().get(paths[0] + "/forget")).status_code == 405

    after = await read(app)
    assert after is not None
    for column in Subscriber.__table__.columns:
        assert getattr(after, column.name) == getattr(before, column.name)


async def test_a_link_that_is_not_the_subscriber_s_says_nothing_and_does_nothing(app: Quart) -> None:
    """Forged, cut off, of another subscriber, of the other purpose, of nobody: one answer for all of them."""
    bob, carol = await add(app), await add(app, email="carol@example.org")
    good = unsubscribe_path(app, bob)
    token = good.rpartition("/")[2]
    others = (unsubscribe_path(app, carol)).rpartition("/")[2]
    confirming = (await confirm_path(app)).rpartition("/")[2]
    forged = [token[:-1], token[:10], token + "A", token.swapcase(), "x" * 43, "ü", bob.nonce, others, confirming]

    answers = set()
    for path in [*(f"/unsubscribe/{bob.id}/{wrong}" for wrong in forged), f"/unsubscribe/99/{token}"]:
        for method in ("GET", "POST"):
            response = await app.test_client(use_cookies=False).open(path, method=method)
            answers.add((response.status_code, await response.get_data(as_text=True)))

    assert len(answers) == 1
    assert next(iter(answers))[0] == 404
    assert await state(app) == State.CONFIRMED
    assert await one_click(app, f"/subscribe/{bob.id}/{token}") == (403, None)
    assert len(token) * 6 >= 128


async def test_an_unsubscribe_link_does_not_end(app: Quart, visitor: Visitor) -> None:
    """The mail may be years old, and the address may have left and come back since."""
    subscriber = await add(app, asked_at=datetime.now(UTC) - timedelta(days=4000))
    path = unsubscribe_path(app, subscriber)
    await one_click(app, path)
    await visitor.post("/subscribe", email=EMAIL)
    await visitor.post(await confirm_path(app))
    assert await state(app) == State.CONFIRMED

    assert (await visitor.get(path)).status_code == 200
    assert EMAIL in visitor.text
    assert (await visitor.post(path)).status_code == 200

    assert visitor.marks.states == ["unsubscribed"]
    assert await state(app) == State.UNSUBSCRIBED


async def test_who_was_suppressed_can_unsubscribe(app: Quart) -> None:
    subscriber = await add(app, State.SUPPRESSED, reason="full")

    assert await one_click(app, unsubscribe_path(app, subscriber)) == (200, None)

    assert await state(app) == State.UNSUBSCRIBED


@pytest.mark.parametrize("before", list(State))
@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_an_address_is_forgotten_with_all_its_traces(app: Quart, visitor: Visitor, before: State) -> None:
    subscriber = await add(app, before)
    path = unsubscribe_path(app, subscriber)

    response = await visitor.post(f"{path}/forget", page=path)

    assert response.status_code == 200
    assert visitor.marks.states == ["forgotten"]
    assert EMAIL not in visitor.text
    assert await state(app) == "gone"
    assert await one_click(app, path) == (404, None)
    again = await add(app)
    assert again.id != subscriber.id
    assert await one_click(app, path) == (404, None)


async def test_forgetting_needs_the_page_s_own_button(app: Quart) -> None:
    path = unsubscribe_path(app, await add(app))

    assert (await one_click(app, f"{path}/forget"))[0] == 403
    assert await state(app) == State.CONFIRMED


async def test_the_owner_sees_who_there_is_and_why_somebody_gets_nothing(app: Quart, owner: Visitor) -> None:
    for n, known in enumerate((*State, State.CONFIRMED)):
        await add(app, known, f"n{n}@example.org", reason="550 5.1.1 <no> such user" if known == "suppressed" else "")

    await owner.get("/subscribers")

    for n in range(5):
        assert f"n{n}@example.org" in owner.text
    counts = {"all": 5, "asked": 1, "confirmed": 2, "unsubscribed": 1, "suppressed": 1, "readers": 2}
    counts |= {"came": 0, "went": 0}
    assert owner.marks.counts == counts
    assert "550 5.1.1 &lt;no&gt; such user" in owner.text

    await owner.get("/subscribers?state=suppressed")
    assert re.findall(r"n\d@", owner.text) == ["n3@"]


@pytest.mark.both_databases("text is searched for, or stored, by the database's rules")
async def test_the_owner_finds_an_address_by_a_part_of_it(app: Quart, owner: Visitor) -> None:
    for email in ("bob@xn--bcher-kva.example", "a_b@example.org", "axb@example.org", "100%@example.org"):
        await add(app, email=email)

    async def found(q: str, **more: str) -> set[str]:
        await owner.get("/subscribers", query_string={"q": q} | more)
        return set(re.findall(r"<bdi>(.*?)</bdi></a>", owner.text))

    assert await found("Bücher") == {"bob@bücher.example"}
    assert await found("bob@bücher.example") == {"bob@bücher.example"}
    assert await found("a_b") == {"a_b@example.org"}
    assert await found("%") == {"100%@example.org"}
    assert await found("example.org", state="asked") == set()
    assert "no-match" in owner.marks.states
    assert await found("' OR 1=1 --") == set()
    assert len(await found("")) == 4


@pytest.mark.parametrize("typed", ["%00", "a%00b", "%ED%A0%80", "@", "a@b@c", "a@%F0%9F%98%80", "xn--%E2%80%AE"])
@pytest.mark.both_databases("text is searched for, or stored, by the database's rules")
async def test_whatever_is_sought_is_no_fault(owner: Visitor, typed: str) -> None:
    assert (await owner.get(f"/subscribers?q={typed}")).status_code == 200


async def test_many_subscribers_are_shown_by_pages(app: Quart, owner: Visitor) -> None:
    stored: Database = app.extensions["database"]
    async with stored.transaction() as db:
        db.add_all(Subscriber(email=f"n{n}@example.org", state=State.CONFIRMED) for n in range(120))

    seen: list[str] = []
    for page in (1, 2, 3):
        await owner.get(f"/subscribers?q=n&page={page}")
        seen += re.findall(r"<bdi>(n\d+@)", owner.text)
        assert ("page=2" in owner.text) == (page in (1, 3))
    assert len(seen) == len(set(seen)) == 120
    assert seen[0] == "n119@"
    await owner.get("/subscribers?page=4")
    assert "no-more" in owner.marks.states


async def test_the_owner_lifts_a_suppression(app: Quart, owner: Visitor) -> None:
    subscriber = await add(app, State.SUPPRESSED, reason="The mail server answered: 550 no", refusals=3)
    page = f"/subscribers/{subscriber.id}"
    await owner.get(page)
    assert "The mail server answered: 550 no" in owner.text

    response = await owner.post(f"{page}/lift", page=page)

    assert response.location == page
    found = await read(app)
    assert found is not None
    assert (found.state, found.reason, found.refusals) == (State.CONFIRMED, "", 0)


@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_the_owner_removes_a_subscriber(app: Quart, owner: Visitor) -> None:
    subscriber = await add(app)
    page = f"/subscribers/{subscriber.id}"

    response = await owner.post(f"{page}/remove", page=page)

    assert response.location == "/subscribers"
    assert await state(app) == "gone"
    assert (await owner.get(page)).status_code == 404
    assert (await owner.get("/subscribers/99")).status_code == 404


async def test_links_begin_with_the_site_s_address_whatever_host_is_asked_for(app: Quart, visitor: Visitor) -> None:
    subscriber = await add(app)

    response = await visitor.get(unsubscribe_path(app, subscriber), headers={"Host": "evil.example"})

    assert response.status_code == 400
    for url in (links.confirm_url, links.unsubscribe_url):
        assert url(subscriber, visitor.settings).startswith(visitor.settings.base_url + "/")


async def test_an_address_can_be_asked_for_again_the_next_day(app: Quart, visitor: Visitor, redis: Redis) -> None:
    await visitor.post("/subscribe", email=EMAIL)
    stored: Database = app.extensions["database"]
    async with stored.transaction() as db:
        await db.execute(update(Subscriber).values(asked_at=datetime.now(UTC) - timedelta(days=1)))

    await visitor.post("/subscribe", email=EMAIL)

    assert await redis.zcard("arq:queue:mail") == 2
