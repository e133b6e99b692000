"""Names, addresses and hosts in the settings: refused at the start, or in every mail as they were written."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart

from app import create_app
from app.accounts.links import owner_address
from app.embedded.catcher import catching
from app.mail import Mailer, compose, writing
from app.mail.message import Parcel, pack
from settings import Settings, SettingsError
from tests.app.showing_mail import sender_of

A_LABEL = "site@xn--bcher-kva.example"
SENDERS = [
    # SMTP_FROM, the name and the address that readers see
    ("site@example.org", "Quarq", "site@example.org"),
    ("Site <site@example.org>", "Site", "site@example.org"),
    ("Site <site@bücher.example>", "Site", A_LABEL),
    ("site@bücher.example", "Quarq", A_LABEL),
    ("SITE@EXAMPLE.ORG", "Quarq", "SITE@example.org"),
    ("Team @ Quarq <team@example.org>", "Team @ Quarq", "team@example.org"),
    ("Quarq, Ltd. (Köln) <team@example.org>", "Quarq, Ltd. (Köln)", "team@example.org"),
    ('"Quarq, Ltd." <team@example.org>', "Quarq, Ltd.", "team@example.org"),
    (r'"A \"B\" \\ C" <team@example.org>', r'A "B" \ C', "team@example.org"),
    ('The "Site" <team@example.org>', 'The "Site"', "team@example.org"),
    ("Site: news; all <team@example.org>", "Site: news; all", "team@example.org"),
    ("夸克 <team@例え.jp>", "夸克", "team@xn--r8jz45g.jp"),
    ("كوارك <team@example.org>", "كوارك", "team@example.org"),
    ("👩‍👩‍👧 <team@example.org>", "👩‍👩‍👧", "team@example.org"),
    ("<team@example.org>", "Quarq", "team@example.org"),
    ("quarq@localhost", "Quarq", "quarq@localhost"),
    (f"{'x' * 100} <team@example.org>", "x" * 100, "team@example.org"),
]
NO_SENDERS = [
    *("Site", "site@", "@example.org", "a@example.org, b@example.org", "Site <a@example.org>, b@example.org"),
    *("Site <a@example.org> b", "Site <a b@example.org>", "Site <älice@example.org>", "=?utf-8?q?x?= <a@example.org>"),
    *("Site\u2028 <a@example.org>", "Site\x85 <a@example.org>", "Site <a@exam_ple.org>", "Site <a@-x.org>"),
    *(f"{'x' * 101} <team@example.org>", "Site <site@example>", "Site <<a@example.org>>", "a@b@example.org"),
]
HOSTS = [
    # BASE_URL, as it is used, its domain in a Message-ID, its name in EHLO
    ("https://example.org", "https://example.org", "example.org", "example.org"),
    ("https://Example.ORG:8443/", "https://example.org:8443", "example.org", "example.org"),
    ("https://bücher.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("https://faß.example", "https://xn--fa-hia.example", "xn--fa-hia.example", "xn--fa-hia.example"),
    ("http://quarq_web:8000", "http://quarq_web:8000", "quarq_web", "quarq_web"),
    ("http://192.0.2.7", "http://192.0.2.7", "192.0.2.7", "[192.0.2.7]"),
    ("http://[2001:db8::7]:80", "http://[2001:db8::7]:80", "[IPv6:2001:db8::7]", "[IPv6:2001:db8::7]"),
]
SERVERS = [
    ("mail.example.org", "mail.example.org"),
    ("smtp.bücher.example", "smtp.xn--bcher-kva.example"),
    ("smtp.faß.example", "smtp.xn--fa-hia.example"),
    ("mail", "mail"),
    ("192.0.2.7", "192.0.2.7"),
    ("2001:db8::7", "2001:db8::7"),
    ("[2001:db8::7]", "2001:db8::7"),
]
SENT = {"SMTP_SERVER": "mail.example.org", "SMTP_FROM": "site@example.org"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as path:
        yield Path(path)


def settings(folder: Path, **environ: str) -> Settings:
    return Settings.from_env({"DATA_DIR": str(folder)} | environ)


def read(parcel: Parcel) -> EmailMessage:
    message = message_from_bytes(parcel.wire, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def mail(of: Settings, key: str = "x@example.org") -> Parcel:
    """A mail of the site to its owner, with its name in the subject."""
    return pack(compose(sender=of.sender, to=owner_address(of), subject=of.site_name, text="", message_id=f"<{key}>"))


@pytest.mark.parametrize(("written", "name", "address"), SENDERS)
def test_a_sender_is_in_each_mail_as_it_was_written(folder: Path, written: str, name: str, address: str) -> None:
    of = settings(folder, SMTP_FROM=written)

    parcel = mail(of)

    assert parcel.sender == address
    assert sender_of(parcel.wire) == (name, address)
    assert settings(folder, SMTP_FROM=of.smtp_from).sender == of.sender, "read again it is the same"


@pytest.mark.parametrize("written", NO_SENDERS)
def test_a_sender_that_no_mail_can_have_is_refused_at_the_start(folder: Path, written: str) -> None:
    with pytest.raises(SettingsError, match=r"^SMTP_FROM="):
        settings(folder, SMTP_FROM=written)


async def test_the_catcher_receives_what_was_written(folder: Path) -> None:
    async with catching(settings(folder)):
        for written, _, _ in SENDERS:
            of = settings(folder, SMTP_FROM=written, OWNER_EMAIL="Chef@bücher.example")
            await Mailer.of(of).send(mail(of))

    caught = [path.read_bytes() for path in sorted((folder / "mail").iterdir())]
    for raw, (_, name, address) in zip(caught, SENDERS, strict=True):
        assert raw.startswith(
            f"Return-Path: <{address}>\r\nDelivered-To: chef@xn--bcher-kva.example\r\n".encode("ascii")
        )
        message = message_from_bytes(raw, policy=policy.default)
        assert sender_of(raw) == (name, address)
        assert message["To"] == "chef@xn--bcher-kva.example"


@pytest.mark.parametrize("name", ["Team @ Quarq, Ltd.", "夸克", 'A "B" \\', "a" * 100, "<b>", "x: y", "👩‍👩‍👧"])
def test_the_name_of_the_site_is_the_sender_and_in_the_subject(folder: Path, name: str) -> None:
    parcel = mail(settings(folder, SITE_NAME=name))

    assert read(parcel)["Subject"] == name
    assert sender_of(parcel.wire)[0] == name


@pytest.mark.parametrize("name", ["a" * 101, "=?utf-8?q?x?=", "a\u2028b", "a\x85b", "a\tb"])
def test_a_name_that_no_subject_can_hold_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"^SITE_NAME="):
        settings(folder, SITE_NAME=name)


@pytest.mark.parametrize(("written", "base_url", "domain", "greeting"), HOSTS)
async def test_the_host_of_the_site_is_in_each_mail(
    folder: Path, written: str, base_url: str, domain: str, greeting: str
) -> None:
    of = settings(folder, BASE_URL=written, **SENT)
    app = Quart(__name__)
    app.extensions["settings"] = of

    assert of.base_url == base_url
    assert Mailer.of(of).server.local_hostname == greeting
    async with app.app_context():
        assert read(mail(of, writing.message_id("key").strip("<>")))["Message-ID"] == f"<key@{domain}>"


async def test_a_site_with_an_accented_host_answers_as_browsers_ask(folder: Path) -> None:
    of = settings(folder, BASE_URL="https://Bücher.example", **SENT)
    client = create_app(of).test_client()

    for host, status in (("xn--bcher-kva.example", 200), ("bucher.example", 400)):
        assert (await client.get("/sign-in", headers={"Host": host})).status_code == status


@pytest.mark.parametrize("host", ["exa mple.org", "a..b", "-", "bü cher.example", "x" * 60 + "ü" * 60, "a,b", "a\x85b"])
def test_no_host_is_refused_at_the_start(folder: Path, host: str) -> None:
    for name, value in (("BASE_URL", f"https://{host}"), ("SMTP_SERVER", host)):
        with pytest.raises(SettingsError, match=f"^{name}="):
            settings(folder, **SENT | {name: value})


@pytest.mark.parametrize(("written", "host"), SERVERS)
def test_the_mail_server_is_found_by_its_name(folder: Path, written: str, host: str) -> None:
    assert Mailer.of(settings(folder, **SENT | {"SMTP_SERVER": written})).server.host == host


@pytest.mark.parametrize("written", ["mail.example.org:587", "smtp://mail.example.org", "mail/x", "a@b.org"])
def test_a_mail_server_is_a_name_alone(folder: Path, written: str) -> None:
    with pytest.raises(SettingsError, match="without a port"):
        settings(folder, **SENT | {"SMTP_SERVER": written})


@given(
    st.text(max_size=40), st.text(max_size=120),
    st.sampled_from(["a@example.org", "a@bücher.example", "A.b+c@x.org", "a@localhost"]) | st.text(max_size=80),
)  # fmt: skip
def test_what_the_start_accepts_every_mail_can_hold(folder: Path, site_name: str, name: str, address: str) -> None:
    environ = {"SITE_NAME": site_name, "SMTP_FROM": f"{name} <{address}>", "OWNER_EMAIL": address}
    for setting in environ:
        try:
            of = settings(folder, **{setting: environ[setting]})
        except SettingsError:
            continue

        parcel = mail(of)

        assert "".join(read(parcel)["Subject"].split()) == "".join(of.site_name.split())
        if setting == "SMTP_FROM" and '"' not in name:
            assert "".join(sender_of(parcel.wire)[0].split()) == ("".join(name.split()) or "Quarq")
