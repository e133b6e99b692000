"""Signing in by a mailed link: what is mailed, what works once, what the page says when it cannot."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from quart import Quart
from redis.asyncio import Redis
from sqlalchemy import select, update

from app import create_app
from app.accounts import links, mails, returning
from app.accounts.models import Account, SignIn, SignInLink
from app.context import close, task_context
from app.database import Database
from app.migrations import upgrade
from settings import Settings
from tests.app.routes import furnish
from tests.app.visitor import Visitor
from tests.redis_server import RedisServer
from tests.smtp_server import SmtpServer, mailing


async def stored(app: Quart) -> list[SignInLink]:
    database: Database = app.extensions["database"]
    async with database.session() as db:
        return list((await db.scalars(select(SignInLink).order_by(SignInLink.id))).all())


async def path_of_last_link(app: Quart) -> str:
    return urlsplit(links.address_of((await stored(app))[-1], app.extensions["settings"])).path


async def test_a_mailed_link_signs_in(app: Quart, visitor: Visitor) -> None:
    response = await visitor.post("/sign-in", email="Alice@Example.org")
    assert response.status_code == 200
    assert "alice@example.org" in visitor.text
    assert visitor.settings.smtp_from in visitor.text
    assert visitor.marks.states == ["link-sent"]

    response = await visitor.post(await path_of_last_link(app), timezone="Asia/Shanghai")
    assert (response.status_code, response.location) == (303, "/")

    await visitor.get("/account")
    assert "alice@example.org" in visitor.text
    assert '<option value="Asia/Shanghai" selected>' in visitor.text


async def test_the_mail_brings_the_link_and_is_the_same_for_every_try(settings: Settings, smtp: SmtpServer) -> None:
    real = mailing(settings, smtp, base_url="https://site.example", smtp_from="Quarq <site@site.example>")
    await upgrade(real)
    address = await links.sign_in_link(real, "alice@bücher.example")
    app = create_app(real)
    async with task_context(app)(None):
        [link] = await stored(app)
        await mails.sign_in_link(link.id)
        await mails.sign_in_link(link.id)
    await close(app)

    first, second = smtp.accepted
    assert first.recipients == ["alice@xn--bcher-kva.example"]
    assert address.startswith("https://site.example/sign-in/")
    for part in ("plain", "html"):
        body = first.message.get_body((part,))
        assert body is not None
        assert address in body.get_content()
    assert first.message_id == second.message_id


@pytest.mark.both_databases("a claim in SQL decides")
async def test_a_link_works_once(app: Quart, visitor: Visitor) -> None:
    path = urlsplit(await links.sign_in_link(visitor.settings, "alice@example.org")).path
    await visitor.get(path)
    token = visitor.token()

    first = await visitor.client.post(path, form={"csrf_token": token})
    other = Visitor(app)
    second = await other.get(path)

    assert first.status_code == 303
    assert second.status_code == 410
    assert other.marks.errors == ["link-over"]


async def test_a_link_opened_by_a_mail_scanner_still_works(visitor: Visitor) -> None:
    path = urlsplit(await links.sign_in_link(visitor.settings, "alice@example.org")).path
    for _ in range(3):
        assert (await visitor.get(path)).status_code == 200

    assert (await visitor.post(path)).status_code == 303


@pytest.mark.both_databases("of several at once one wins")
async def test_of_two_browsers_that_press_the_button_at_once_one_is_signed_in(app: Quart) -> None:
    one, two = Visitor(app), Visitor(app)
    path = urlsplit(await links.sign_in_link(one.settings, "alice@example.org")).path

    answers = await asyncio.gather(one.post(path), two.post(path))

    assert sorted(answer.status_code for answer in answers) == [303, 410]


@pytest.mark.both_databases("a unique constraint decides")
async def test_two_links_of_a_new_address_make_one_account(app: Quart) -> None:
    one, two = Visitor(app), Visitor(app)

    answers = await asyncio.gather(one.sign_in("new@example.org"), two.sign_in("new@example.org"))

    assert [answer.status_code for answer in answers] == [303, 303]
    async with app.extensions["database"].session() as db:
        assert len((await db.scalars(select(Account).where(Account.email == "new@example.org"))).all()) == 1


@pytest.mark.both_databases("SQL orders or compares moments")
async def test_a_link_ends_after_ten_minutes(app: Quart, visitor: Visitor) -> None:
    path = urlsplit(await links.sign_in_link(visitor.settings, "alice@example.org")).path
    [link] = await stored(app)
    assert timedelta(minutes=9) < link.expires_at - datetime.now(UTC) <= timedelta(minutes=10)
    async with app.extensions["database"].session() as db:
        await db.execute(update(SignInLink).values(expires_at=datetime.now(UTC)))
        await db.commit()

    assert (await visitor.get(path)).status_code == 410


async def test_an_invented_link_answers_like_an_old_one(visitor: Visitor) -> None:
    assert (await visitor.get("/sign-in/" + "x" * 43)).status_code == 410


async def test_neither_token_nor_address_is_written_to_redis_or_in_clear_to_sql(
    app: Quart, visitor: Visitor, redis: Redis
) -> None:
    await visitor.post("/sign-in", email="alice@example.org")
    path = await path_of_last_link(app)
    await visitor.post(path)
    cookie_token = (await visitor.client.get("/account")).status_code
    token = path.rpartition("/")[2]

    dump = b""
    for key in await redis.keys("*"):
        dump += key + (await redis.dump(key) or b"")
    files = b"".join(file.read_bytes() for file in visitor.settings.data_dir.glob("site.db*"))

    assert cookie_token == 200
    assert b"accounts.send_sign_in_link" in dump
    assert token.encode() not in dump + files
    assert b"alice" not in dump
    async with app.extensions["database"].session() as db:
        [sign_in] = (await db.scalars(select(SignIn))).all()
    assert len(sign_in.token_hash) == 64


async def test_the_answer_is_the_same_for_a_known_and_an_unknown_address(app: Quart, alice: Visitor) -> None:
    known, unknown = Visitor(app), Visitor(app)
    one = await known.post("/sign-in", email="alice@example.org")
    two = await unknown.post("/sign-in", email="nobody@example.org")

    assert one.status_code == two.status_code == 200
    assert known.text.replace("alice", "nobody").replace(known.token(), "") == unknown.text.replace(unknown.token(), "")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "alice",
        "alice@",
        "@example.org",
        "alice@example",
        "alice@localhost@example.org",
        "a@x.org, b@y.org",
        "a@x.org;b@y.org",
        "<a@x.org>,b@y.org",
        '"x\r\n"@y.org',
        "alice@example.org\r\nBcc: victim@example.org",
        "alice@example.org\nBcc: victim@example.org",
        "=?utf-8?q?x=0ABcc:victim?=@example.org",
        "alice@exam\u2028ple.org",
        "alice\x0b@example.org",
        "älice@example.org",
        "alice@127.0.0.1",
        "a" * 65 + "@example.org",
        "alice@" + "a" * 250 + ".org",
    ],
)
async def test_what_is_not_one_address_is_refused_and_stays_in_the_field(
    app: Quart, visitor: Visitor, typed: str
) -> None:
    response = await visitor.post("/sign-in", email=typed)

    assert response.status_code == 400
    assert 'aria-invalid="true"' in visitor.text
    assert await stored(app) == []


async def test_a_domain_in_other_letters_is_stored_as_its_a_label_and_shown_as_typed(
    app: Quart, visitor: Visitor
) -> None:
    await visitor.post("/sign-in", email="alice@bücher.example")

    [link] = await stored(app)
    assert link.email == "alice@xn--bcher-kva.example"
    assert "alice@bücher.example" in visitor.text


async def test_the_next_link_can_be_asked_for_after_a_minute(app: Quart, visitor: Visitor) -> None:
    await visitor.post("/sign-in", email="alice@example.org")
    response = await Visitor(app).post("/sign-in", email="alice@example.org")
    again = Visitor(app)
    await again.post("/sign-in", email="alice@example.org")

    assert response.status_code == 429
    assert 50 < int(response.headers["Retry-After"]) <= 60
    assert again.marks.errors == ["too-often"]
    assert re.search(r" (\d\d seconds|1 minute)\.", again.text)
    assert 'value="alice@example.org"' in again.text
    assert len(await stored(app)) == 1


async def test_one_client_cannot_mail_everybody(app: Quart, visitor: Visitor) -> None:
    codes = [(await visitor.post("/sign-in", email=f"n{n}@example.org")).status_code for n in range(31)]

    assert codes == [200] * 30 + [429]


async def test_without_redis_nobody_is_mailed_and_the_page_says_so(
    app: Quart, visitor: Visitor, redis_server: RedisServer
) -> None:
    """Fails closed: nobody knows how often it was asked for."""
    await visitor.get("/sign-in")
    redis_server.stop()
    try:
        response = await visitor.post("/sign-in", email="alice@example.org")
    finally:
        redis_server.start()

    assert response.status_code == 503
    assert visitor.marks.errors == ["no-mail-now"]
    assert 'value="alice@example.org"' in visitor.text
    assert await stored(app) == []


async def test_the_site_starts_and_signs_in_without_redis(settings: Settings, redis_server: RedisServer) -> None:
    redis_server.stop()
    try:
        app = create_app(settings)
        async with app.test_app():
            visitor = Visitor(app)
            assert (await visitor.get("/")).status_code == 200
            assert (await visitor.sign_in()).status_code == 303
            assert (await visitor.get("/account")).status_code == 200
    finally:
        redis_server.start()


async def test_after_signing_in_the_page_that_was_asked_for_comes(visitor: Visitor) -> None:
    response = await visitor.get("/account?x=1")
    assert (response.status_code, response.location) == (303, "/sign-in")

    response = await visitor.sign_in()
    assert response.location == "/account?x=1"


async def test_the_sign_in_page_says_why_for_every_page_that_sends_there(app: Quart, alice: Visitor) -> None:
    of_access = {"owner": {returning.OF_OWNER.code}, "signed_in": {words.code for words in returning.PURPOSES.values()}}
    pages = [route for route in await furnish(app) if route.method == "GET" and route.access in of_access]
    for page in pages:
        visitor = Visitor(app)
        await visitor.get(page.path)
        await visitor.get("/sign-in")
        [why] = visitor.marks.notices
        assert why in of_access[page.access], page
    assert len(pages) > 20


async def test_an_error_and_an_old_link_forget_no_page(app: Quart, visitor: Visitor) -> None:
    await visitor.get("/reminders/")
    assert (await visitor.post("/sign-in", email="alice")).status_code == 400
    assert visitor.marks.notices == ["sign-in-reminders"]
    assert (await visitor.post("/sign-in/over", page="/sign-in")).status_code == 410
    assert visitor.marks.notices == ["sign-in-reminders"]

    assert (await visitor.sign_in()).location == "/reminders/"


@pytest.mark.parametrize("destination", ["empty", "image", "script", "iframe"])
async def test_nobody_returns_to_what_a_page_has_loaded(visitor: Visitor, destination: str) -> None:
    for path in ("/account", "/monitor/live?page=overview"):
        await visitor.get(path, headers={"Sec-Fetch-Dest": destination})

    assert (await visitor.sign_in()).location == "/"


@pytest.mark.parametrize("path", ["//evil.example/account", "/\\evil.example", "/account\t//x"])
async def test_nobody_is_sent_to_another_site(app: Quart, visitor: Visitor, path: str) -> None:
    async with visitor.client.session_transaction() as session:
        session["next"] = path
    await visitor.get("/sign-in")
    assert visitor.marks.notices == []

    response = await visitor.sign_in()

    assert response.location == "/"


async def test_a_forged_host_changes_no_link(app: Quart, visitor: Visitor) -> None:
    response = await visitor.get("/sign-in", headers={"Host": "evil.example"})

    assert response.status_code == 400
    assert links.address_of(SignInLink(nonce="n"), visitor.settings).startswith(visitor.settings.base_url + "/sign-in/")
