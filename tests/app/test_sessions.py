"""Staying signed in, and not longer: cookies, sign-out, expiry, the owner."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from quart import Quart
from sqlalchemy import select, update

from app import create_app
from app.accounts.links import address_of, sign_in_link
from app.accounts.models import IDLE_LIFETIME, Account, SignIn, SignInLink
from settings import Settings
from tests.app.visitor import Visitor


async def change_sign_ins(app: Quart, **values: datetime) -> None:
    async with app.extensions["database"].session() as db:
        await db.execute(update(SignIn).values(**values))
        await db.commit()


def cookie(visitor: Visitor) -> str:
    [found] = [cookie for cookie in visitor.client.cookie_jar or () if cookie.name.endswith("session")]
    return str(found.value)


async def test_signing_out_ends_a_copy_of_the_cookie_too(app: Quart, alice: Visitor) -> None:
    copied = cookie(alice)

    response = await alice.post("/sign-out", page="/account")
    thief = Visitor(app)
    replay = await thief.get("/account", headers={"Cookie": f"session={copied}"})

    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert replay.status_code == 303
    await alice.get("/")
    assert alice.marks.notices == ["signed-out"]


async def test_signing_out_everywhere_ends_every_browser(app: Quart, alice: Visitor) -> None:
    phone = Visitor(app)
    await phone.sign_in("alice@example.org")

    await alice.post("/sign-out-everywhere", page="/account")

    assert (await phone.get("/account")).status_code == 303


@pytest.mark.parametrize(
    ("path", "page", "form"),
    [("/sign-out-everywhere", "/account", {}), ("/account/delete", "/account/data", {"email": "alice@example.org"})],
)
async def test_nothing_that_was_given_out_before_lets_anybody_in(
    app: Quart, alice: Visitor, path: str, page: str, form: dict[str, str]
) -> None:
    """Neither a browser, nor a copy of its cookie, nor a link: mailed, printed, or opened and not yet pressed."""
    phone, other = Visitor(app), Visitor(app)
    await phone.sign_in("alice@example.org")
    await Visitor(app).post("/sign-in", email="alice@example.org")
    async with app.extensions["database"].session() as db:
        mailed = address_of(
            (await db.scalars(select(SignInLink).order_by(SignInLink.id.desc()))).first(), alice.settings
        )
    given = [mailed, *[await sign_in_link(alice.settings, "alice@example.org") for _ in range(2)]]
    others = await sign_in_link(alice.settings, "charlie@example.org")
    copied = cookie(alice)
    await other.get(urlsplit(given[0]).path)
    form_token = other.token()
    assert form_token

    await alice.post(path, page=page, **form)

    assert (await other.client.post(urlsplit(given[0]).path, form={"csrf_token": form_token})).status_code == 410
    for link in given:
        assert (await Visitor(app).get(urlsplit(link).path)).status_code == 410
    assert (await phone.get("/account")).status_code == 303
    assert (await Visitor(app).get("/account", headers={"Cookie": f"session={copied}"})).status_code == 303
    assert (await Visitor(app).post(urlsplit(others).path)).status_code == 303, "other accounts keep theirs"
    assert (await Visitor(app).sign_in("alice@example.org")).status_code == 303, "a new link works"


async def test_signing_in_changes_every_secret_of_the_cookie(app: Quart, visitor: Visitor) -> None:
    """What somebody planted in the browser before is worth nothing afterwards."""
    await visitor.get("/sign-in")
    before = visitor.token()

    await visitor.sign_in()
    await visitor.get("/account")

    assert visitor.token() not in ("", before)


async def test_forms_opened_at_once_after_signing_in_all_work(app: Quart, alice: Visitor) -> None:
    """Whichever answer the browser keeps the cookie of."""
    [signed_in] = [item for item in alice.client.cookie_jar or () if item.name == "session"]
    headers = {"Cookie": f"session={signed_in.value}"}
    windows = [Visitor(app) for _ in range(3)]
    for window in windows:
        window.client = app.test_client(use_cookies=False)
        await window.get("/account", headers=headers)

    assert len({window.token() for window in windows}) == 1


async def test_signing_in_again_ends_the_sign_in_before(app: Quart, alice: Visitor) -> None:
    await alice.sign_in("alice@example.org")

    async with app.extensions["database"].session() as db:
        assert len((await db.scalars(select(SignIn))).all()) == 1


@pytest.mark.parametrize("values", [{"expires_at": timedelta()}, {"seen_at": -IDLE_LIFETIME}])
async def test_a_sign_in_ends_by_itself(app: Quart, alice: Visitor, values: dict[str, timedelta]) -> None:
    await change_sign_ins(app, **{name: datetime.now(UTC) + change for name, change in values.items()})

    assert (await alice.get("/account")).status_code == 303


@pytest.mark.both_databases("one UPDATE or INSERT decides by the row's state")
async def test_a_visit_keeps_a_sign_in_from_falling_idle(app: Quart, alice: Visitor) -> None:
    await change_sign_ins(app, seen_at=datetime.now(UTC) - IDLE_LIFETIME + timedelta(hours=1))

    await alice.get("/account")

    async with app.extensions["database"].session() as db:
        [seen_at] = (await db.scalars(select(SignIn.seen_at))).all()
    assert datetime.now(UTC) - seen_at < timedelta(minutes=1)


@pytest.mark.both_databases("rows and what points to them are deleted")
async def test_a_deleted_account_is_signed_out_at_once(app: Quart, alice: Visitor) -> None:
    async with app.extensions["database"].transaction() as db:
        await db.delete((await db.scalars(select(Account))).one())

    assert (await alice.get("/account")).status_code == 303


async def test_a_cookie_signed_by_nobody_is_nobody(visitor: Visitor) -> None:
    response = await visitor.get("/account", headers={"Cookie": "session=eyJzaWduX2luIjoieCJ9.x.y"})

    assert response.status_code == 303


async def test_the_cookie_is_closed_to_scripts_and_other_sites(visitor: Visitor) -> None:
    header = (await visitor.get("/sign-in")).headers["Set-Cookie"]

    assert header.startswith("session=")
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header


async def test_with_https_the_cookie_belongs_to_this_host_alone(settings: Settings) -> None:
    app = create_app(
        replace(
            settings, base_url="https://site.example", smtp_server="mail.site.example", smtp_from="site@site.example"
        )
    )
    async with app.test_app():
        response = await app.test_client().get("/sign-in", headers={"Host": "site.example"})

    header = response.headers["Set-Cookie"]
    assert header.startswith("__Host-session=")
    assert "Secure" in header
    assert "Path=/" in header
    assert "Domain" not in header
    assert "max-age" in response.headers["Strict-Transport-Security"]


async def test_only_the_address_of_owner_email_is_the_owner(alice: Visitor, owner: Visitor) -> None:
    await alice.get("/account")
    await owner.get("/account")

    assert alice.marks.states == ["signed-in"]
    assert owner.marks.states == ["owner"]


async def test_the_zone_of_an_account_can_be_changed_and_a_wrong_one_is_refused(alice: Visitor) -> None:
    await alice.get("/account")
    assert '<option value="Europe/Berlin" selected>' in alice.text

    assert (await alice.post("/account", timezone="America/Sao_Paulo")).status_code == 303
    await alice.get("/account")
    assert '<option value="America/Sao_Paulo" selected>' in alice.text

    assert (await alice.post("/account", timezone="../../etc/passwd")).status_code == 400
    assert alice.marks.errors == ["no-such-zone"]


async def test_without_javascript_the_site_s_zone_is_taken(app: Quart, visitor: Visitor) -> None:
    await visitor.sign_in(timezone="")

    await visitor.get("/account")

    assert '<option value="UTC" selected>' in visitor.text
