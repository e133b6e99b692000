"""The mail catcher and its inbox page: each mail kept whole, shown to this machine alone, and harmless."""

from __future__ import annotations

import re
import stat
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiosmtplib
import pytest
from playwright.async_api import Browser, expect
from quart import Quart

from app.embedded import key
from app.embedded.catcher import KEPT_MAILS, LONGEST_MAIL, catching, store
from settings import Settings
from tests.app.browsing import problems, tab
from tests.app.marks import Marks
from tests.app.routes import furnish
from tests.app.visitor import TOKEN, Visitor

HOSTILE = "<script>document.title = 'taken over'</script>"


def mail(**headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "Quarq <quarq@localhost>", "alice@example.org"
    message["Subject"] = headers.get("Subject", "提醒 🌱")
    message.set_content("Read https://example.org/a?b=1&c=2.\n<b>not bold</b>\n")
    message.add_alternative(f'{HOSTILE}<p>مرحبا <a href="https://example.org/page">Open</a></p>', subtype="html")
    return message


@pytest.fixture
async def smtp(settings: Settings) -> AsyncIterator[aiosmtplib.SMTP]:
    """A client of the running catcher."""
    async with catching(settings), aiosmtplib.SMTP(socket_path=str(settings.smtp_socket), start_tls=False) as client:
        yield client


def caught(settings: Settings) -> list[Path]:
    return sorted((settings.data_dir / "mail").iterdir())


async def get(app: Quart, path: str, **headers: str) -> tuple[int, str]:
    """As the browser that has the key of the inbox."""
    response = await with_key(app).get(path, headers=headers)
    return response.status_code, await response.get_data(as_text=True)


def keep(settings: Settings, *mails: bytes) -> list[str]:
    """Store these mails. Their names."""
    folder = settings.data_dir / "mail"
    folder.mkdir(exist_ok=True)
    return [store(folder, "a@example.org", ["b@example.org"], raw).stem for raw in mails]


def token_of(page: str) -> str:
    found = TOKEN.search(page)
    assert found is not None
    return found[1]


def with_key(app: Quart) -> Any:
    settings: Settings = app.extensions["settings"]
    client = app.test_client()
    client.set_cookie("localhost", f"inbox-{settings.port}", key.make_key(settings))
    return client


async def test_a_mail_is_kept_whole_and_shown(app: Quart, settings: Settings, smtp: aiosmtplib.SMTP) -> None:
    message = mail()

    await smtp.send_message(message, sender="quarq@localhost", recipients=["alice@example.org", "bob@example.org"])

    [path] = caught(settings)
    assert path.read_bytes().startswith(
        b"Return-Path: <quarq@localhost>\r\nDelivered-To: alice@example.org\r\nDelivered-To: bob@example.org\r\n"
    )
    assert "提醒 🌱" in (await get(app, "/inbox/"))[1]
    status, page = await get(app, f"/inbox/{path.stem}")
    assert status == 200
    assert "alice@example.org, bob@example.org" in page
    assert '<a href="https://example.org/a?b=1&amp;c=2" rel="noreferrer">' in page
    assert "&lt;b&gt;not bold" in page
    assert HOSTILE not in page


async def test_a_message_id_leads_to_its_mail(app: Quart, settings: Settings) -> None:
    folder = settings.data_dir / "mail"
    folder.mkdir(exist_ok=True)
    old, new, other = (
        store(
            folder,
            "a@example.org",
            ["b@example.org"],
            f"Subject: x\r\nMessage-ID: <{one}@x>\r\n\r\n\r\nMessage-ID: <no@x>".encode(),
        )
        for one in ("1.0", "1.0", "2")
    )
    client = with_key(app)

    assert (await client.get("/inbox/1.0@x")).location == f"/inbox/{new.stem}" != f"/inbox/{old.stem}"
    assert (await client.get("/inbox/2@x")).location == f"/inbox/{other.stem}"
    for missing in ("0@x", "no@x", "1.0", "@", "..@x"):
        assert (await client.get(f"/inbox/{missing}")).status_code == 404, missing


async def test_an_empty_inbox_says_so(app: Quart) -> None:
    assert Marks((await get(app, "/inbox/"))[1]).states == ["empty"]


async def test_the_html_of_a_mail_may_do_nothing(app: Quart, settings: Settings, smtp: aiosmtplib.SMTP) -> None:
    await smtp.send_message(mail())

    response = await with_key(app).get(f"/inbox/{caught(settings)[0].stem}/html")

    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy


async def test_a_hostile_subject_is_text(app: Quart, settings: Settings, smtp: aiosmtplib.SMTP) -> None:
    await smtp.send_message(mail(Subject=HOSTILE))

    for path in ("/inbox/", f"/inbox/{caught(settings)[0].stem}"):
        assert HOSTILE not in (await get(app, path))[1]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00 no header at all",
        b"Subject: =?x-unknown?B?////?=\r\nFrom: <<>@\r\n\r\nbody",
        b"Content-Type: text/plain; charset=no-such\r\n\r\n\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody",
    ],
)
async def test_a_malformed_mail_is_shown_as_far_as_it_goes(app: Quart, settings: Settings, raw: bytes) -> None:
    (settings.data_dir / "mail").mkdir(exist_ok=True)
    name = store(settings.data_dir / "mail", "", ["alice@example.org"], raw).stem

    for path in ("/inbox/", f"/inbox/{name}", f"/inbox/{name}/html"):
        assert (await get(app, path))[0] == 200


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
WRONG_KEYS = ("", "x", "x" * 43, "\ud800", "ключ", "\0")


async def test_every_address_of_it_is_a_404_without_the_key_of_this_run(
    app: Quart, settings: Settings, alice: Visitor, owner: Visitor
) -> None:
    """For everybody, by every method, whatever is sent in place of the key; and while `make run` does not run."""
    routes = [route.path for route in await furnish(app) if route.feature == "inbox"]
    paths = [*routes, "/inbox", "/inbox/nothing", "/inbox/a/b/c", "/%69nbox/"]
    assert len(routes) >= 3
    old, cookie = key.make_key(settings), f"inbox-{settings.port}"

    async def try_all(present: str) -> None:
        for client in (owner.client, alice.client, app.test_client()):
            for path in paths:
                for method in METHODS:
                    response = await client.open(path, method=method)
                    assert response.status_code == 404, (method, path)
                    assert "Set-Cookie" not in response.headers or cookie not in response.headers["Set-Cookie"]
        for wrong in (*WRONG_KEYS, old, present[:-1], f"{present}x", present.swapcase()):
            for path in paths:
                tried = (
                    await app.test_client().get(path, query_string={"key": wrong.encode(errors="surrogatepass")}),
                    await app.test_client().get(path, headers={"Cookie": f"{cookie}={quote(wrong, errors='replace')}"}),
                    await app.test_client().get(path, headers={"Cookie": f"inbox-1={present}; inbox={present}"}),
                    await app.test_client().post(path, form={"key": present}),
                )
                assert {response.status_code for response in tried} == {404}, (path, wrong)

    await try_all(key.make_key(settings))
    with key.new_key(settings):
        pass
    await try_all("")


async def test_the_printed_address_lets_a_browser_in_and_the_key_leaves_it(app: Quart, settings: Settings) -> None:
    client = app.test_client()
    with key.new_key(settings):
        printed = urlsplit(key.address(settings))

        opened = await client.get(f"{printed.path}?{printed.query}")

        assert (opened.status_code, opened.location) == (303, "/inbox/")
        assert re.search(r"HttpOnly; Path=/inbox; SameSite=Lax", opened.headers["Set-Cookie"])
        assert opened.headers["Cache-Control"] == "no-cache"
        assert (await client.get("/inbox/")).status_code == 200
        for browser, knows in ((client, True), (app.test_client(), False)):
            page = await (await browser.get("/about")).get_data(as_text=True)
            assert ('<a href="/inbox/">' in page) is knows, "only who has the key sees the link"
        assert stat.S_IMODE((settings.data_dir / "inbox_key").stat().st_mode) == 0o600
    assert (await client.get("/inbox/")).status_code == 404
    with key.new_key(settings):
        assert (await client.get("/inbox/")).status_code == 404, "each run has a key of its own"


async def test_its_headers_and_its_source_are_shown_and_it_can_be_downloaded(app: Quart, settings: Settings) -> None:
    [name] = keep(settings, mail(Subject=HOSTILE).as_bytes(policy=SMTP))

    page = (await get(app, f"/inbox/{name}"))[1]

    assert {"headers", "source"} <= set(Marks(page).states)
    assert "<dt>Subject</dt><dd><bdi>&lt;script&gt;document" in page, "decoded"
    assert "Content-Type: multipart/alternative" in page
    assert HOSTILE not in page
    response = await with_key(app).get(f"/inbox/{name}/source")
    assert await response.get_data() == caught(settings)[0].read_bytes()
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}.eml"'
    assert response.mimetype == "message/rfc822"


async def test_a_long_source_is_cut_on_the_page_and_whole_in_the_download(app: Quart, settings: Settings) -> None:
    [name] = keep(settings, b"Subject: x\r\n\r\n" + b"line\r\n" * 100_000)

    assert len((await get(app, f"/inbox/{name}"))[1]) < 900_000
    assert len((await get(app, f"/inbox/{name}/source"))[1]) > 600_000


async def test_one_mail_is_deleted_after_a_question(app: Quart, settings: Settings) -> None:
    one, other = keep(settings, b"Subject: one\r\n\r\n", b"Subject: other\r\n\r\n")
    client = with_key(app)

    page = await (await client.get(f"/inbox/{one}/delete")).get_data(as_text=True)
    assert len(caught(settings)) == 2, "asking deletes nothing"
    assert (await client.post(f"/inbox/{one}/delete")).status_code == 403, "without the token of the page"
    response = await client.post(f"/inbox/{one}/delete", form={"csrf_token": token_of(page)})

    assert (response.status_code, response.location) == (303, "/inbox/")
    assert [path.stem for path in caught(settings)] == [other]
    gone = await client.post(f"/inbox/{one}/delete", form={"csrf_token": token_of(page)})
    assert gone.status_code == 404


async def test_all_that_were_there_are_deleted_and_what_arrived_since_stays(app: Quart, settings: Settings) -> None:
    keep(settings, *(b"Subject: old\r\n\r\n" for _ in range(60)))
    client = with_key(app)
    page = await (await client.get("/inbox/delete")).get_data(as_text=True)
    newest = re.search(r'name="newest" value="([^"]+)"', page)
    assert newest is not None
    assert Marks(page).counts == {"mails": 60}
    [since] = keep(settings, b"Subject: new\r\n\r\n")

    for place in ("", "../../x", newest[1]):
        await client.post("/inbox/delete", form={"csrf_token": token_of(page), "newest": place})

    assert [path.stem for path in caught(settings)] == [since]


async def test_the_frame_can_be_as_narrow_as_a_phone(app: Quart, settings: Settings) -> None:
    [name] = keep(settings, mail().as_bytes())

    wide, narrow = [(await get(app, f"/inbox/{name}{query}"))[1] for query in ("", "?width=phone")]

    assert re.search(r'<iframe class="mail-html" height="\d+"', wide)
    assert re.search(r'<iframe class="mail-html phone" height="\d+"', narrow)
    assert re.findall(r'<svg width="1" height="\d+"', wide) == re.findall(r'<svg width="1" height="\d+"', narrow) != []
    for page in (wide, narrow):
        assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
async def test_nobody_reads_it_through_a_proxy(app: Quart, header: str) -> None:
    assert (await get(app, "/inbox/", **{header: "203.0.113.7"}))[0] == 404


@pytest.mark.parametrize("name", ["..%2Fsecret_key", "secret_key", "1-a", "00000000000000000001-00000000"])
async def test_only_mails_can_be_read(app: Quart, name: str) -> None:
    assert (await get(app, f"/inbox/{name}"))[0] == 404


async def test_a_mail_that_is_broken_off_is_not_kept(settings: Settings, smtp: aiosmtplib.SMTP) -> None:
    await smtp.mail("quarq@localhost")
    await smtp.rcpt("alice@example.org")
    assert smtp.transport is not None
    smtp.transport.write(b"DATA\r\nSubject: half a")
    smtp.transport.abort()

    async with aiosmtplib.SMTP(socket_path=str(settings.smtp_socket), start_tls=False) as other:
        await other.send_message(mail())

    assert len(caught(settings)) == 1


async def test_a_mail_too_large_is_refused(settings: Settings, smtp: aiosmtplib.SMTP) -> None:
    with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
        await smtp.sendmail("quarq@localhost", ["alice@example.org"], b"x" * 70 + b"\r\n" + b"y" * LONGEST_MAIL)

    assert refused.value.code in {500, 552}
    assert caught(settings) == []


async def test_the_oldest_go_first(app: Quart, settings: Settings) -> None:
    folder = settings.data_dir / "mail"
    folder.mkdir()
    for number in range(KEPT_MAILS):
        (folder / f"{number:020d}-00000000.eml").write_bytes(b"Subject: old\r\n\r\n")

    newest = store(folder, "", ["alice@example.org"], b"Subject: newest\r\n\r\n")

    names = [path.name for path in caught(settings)]
    assert len(names) == KEPT_MAILS
    assert names[0] == f"{1:020d}-00000000.eml"
    page = (await get(app, "/inbox/"))[1]
    assert page.index("newest") < page.index(">old<")
    assert f"/inbox/{newest.stem}" in page
    assert "/inbox/?before=00000000000000000951-00000000" in page


@pytest.mark.timeout(120)
async def test_in_a_browser_its_links_open_and_its_scripts_do_not_run(served: Quart, browser: Browser) -> None:
    settings: Settings = served.extensions["settings"]
    message = mail()
    message["List-Unsubscribe"] = f"<{'x' * 300}>"
    message.get_payload()[1].set_payload(f'{HOSTILE}<a href="{settings.base_url}/sign-in">Sign in</a>')  # type: ignore[union-attr, index]
    (settings.data_dir / "mail").mkdir(exist_ok=True)
    name = store(settings.data_dir / "mail", "", ["alice@example.org"], message.as_bytes()).stem
    page = await tab(browser)
    with key.new_key(settings):
        await page.goto(key.address(settings))
        assert page.url == f"{settings.base_url}/inbox/", "the key has left the address"

    key.make_key(settings)
    await page.goto(key.address(settings))
    await page.goto(f"{settings.base_url}/inbox/{name}")
    link = page.frame_locator("iframe").get_by_role("link", name="Sign in")
    async with page.expect_popup() as popup:
        await link.click()

    opened = await popup.value
    await expect(opened.get_by_role("heading", level=1)).to_contain_text("Sign in")
    assert opened.url == f"{settings.base_url}/sign-in"
    assert await page.frames[1].title() == ""
    for part in ("Headers", "Raw source"):
        await page.click(f"text={part}")
    assert await page.get_by_text(f"<{'x' * 300}>").first.is_visible()
    assert await problems(page) == []
    for path in ("/inbox/", f"/inbox/{name}/delete", "/inbox/delete"):
        await page.goto(f"{settings.base_url}{path}")
        assert await problems(page) == [], path
    await page.click("main button")
    assert await page.get_attribute("[data-notice]", "data-notice") == "mails-deleted"
