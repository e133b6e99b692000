"""Every row of the table in docs/mail.md: what the server does, what that is, whether it took the mail."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.mail import DeliveryFailed, Mailer, MailServer, Outcome, compose
from app.mail.smtp import check, send
from tests.smtp_server import DROP, DROP_AFTER_DOT, DROP_MID_DATA, STALL, STALL_AFTER_DOT, SmtpServer, smtp_server

MAIL = compose(
    sender="Quarq <quarq@example.org>",
    to="alice@example.org",
    subject="Your reminder",
    text="Water the plants.\n.\nThe line above is a single dot.\n",
    html="<p>Water the plants.</p>",
    message_id="<reminder.1.0@example.org>",
)


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as running:
        yield running


def mail_server(server: SmtpServer, **changes: object) -> MailServer:
    known: dict[str, object] = {
        "host": "127.0.0.1", "port": server.port, "tls": "none",
        "connect_s": 0.3, "command_s": 0.3, "data_s": 0.3,
    }  # fmt: skip
    return MailServer(**(known | changes))  # type: ignore[arg-type]


async def test_a_mail_arrives_as_it_was_written(server: SmtpServer) -> None:
    await send(mail_server(server), MAIL)

    [accepted] = server.accepted
    assert accepted.sender == "quarq@example.org"
    assert accepted.recipients == ["alice@example.org"]
    assert accepted.message_id == "<reminder.1.0@example.org>"
    text = accepted.message.get_body(("plain",))
    assert text is not None
    assert text.get_content() == "Water the plants.\n.\nThe line above is a single dot.\n"


async def test_it_arrives_through_the_local_socket(tmp_path: Path) -> None:
    async with smtp_server(tmp_path / "smtp.sock") as server:
        await send(MailServer(socket_path=tmp_path / "smtp.sock"), MAIL)

        assert len(server.accepted) == 1


TABLE = [
    # stage, what the server does, what that is, whether it has taken the mail
    ("banner", DROP, Outcome.UNREACHABLE, False),
    ("banner", STALL, Outcome.UNREACHABLE, False),
    ("banner", "421 4.3.2 closing down", Outcome.UNREACHABLE, False),
    ("banner", "554 5.3.2 not for you", Outcome.ACCOUNT, False),
    ("banner", "who is there?", Outcome.UNREACHABLE, False),
    ("ehlo", STALL, Outcome.UNREACHABLE, False),
    ("mail", "451 4.3.0 later", Outcome.TRANSIENT, False),
    ("mail", "421 4.3.2 closing down", Outcome.UNREACHABLE, False),
    ("mail", "530 5.7.0 sign in first", Outcome.ACCOUNT, False),
    ("mail", "550 5.7.1 not from you", Outcome.PERMANENT, False),
    ("mail", DROP, Outcome.UNREACHABLE, False),
    ("rcpt", "450 4.2.0 greylisted", Outcome.TRANSIENT, False),
    ("rcpt", "550 5.1.1 no such person", Outcome.PERMANENT, False),
    ("rcpt", STALL, Outcome.UNREACHABLE, False),
    ("data", "451 4.3.0 later", Outcome.TRANSIENT, False),
    ("data", "554 5.7.1 no", Outcome.PERMANENT, False),
    ("data", DROP_MID_DATA, Outcome.UNCERTAIN, False),
    ("dot", "452 4.3.1 disk full", Outcome.TRANSIENT, False),
    ("dot", "421 4.3.2 closing down", Outcome.TRANSIENT, False),
    ("dot", "554 5.6.0 looks like spam", Outcome.PERMANENT, False),
    ("dot", DROP, Outcome.UNCERTAIN, False),
    ("dot", DROP_AFTER_DOT, Outcome.UNCERTAIN, True),
    ("dot", STALL_AFTER_DOT, Outcome.UNCERTAIN, True),
]


@pytest.mark.parametrize(("stage", "does", "outcome", "taken"), TABLE, ids=lambda value: str(value)[:20])
async def test_each_failure_is_classed(
    server: SmtpServer, stage: str, does: str, outcome: Outcome, taken: bool
) -> None:
    server.script[stage] = does

    with pytest.raises(DeliveryFailed) as caught:
        await send(mail_server(server), MAIL)

    assert caught.value.outcome is outcome
    assert bool(server.accepted) is taken
    if does[:3].isdigit():
        assert does in caught.value.reason, "the owner of the mail is told what the server said"


async def test_what_a_server_says_is_kept_without_the_addresses_in_it(server: SmtpServer) -> None:
    """It is written to logs and shown on pages, and outlives the row of whoever asked to be forgotten."""
    server.script["rcpt"] = "550 5.1.1 <alice@example.org>: no such user (alice@example.org,bob@localhost) here"

    with pytest.raises(DeliveryFailed) as caught:
        await send(mail_server(server), MAIL)

    assert caught.value.reason == (
        "The mail server answered: 550 5.1.1 <(address)>: no such user ((address),(address)) here"
    )
    assert caught.value.no_such_address


async def test_nobody_listening_is_unreachable(server: SmtpServer) -> None:
    await server.stop()

    with pytest.raises(DeliveryFailed) as caught:
        await send(mail_server(server), MAIL)

    assert caught.value.outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("454 4.7.0 temporary failure", Outcome.UNREACHABLE), ("535 5.7.8 wrong password", Outcome.ACCOUNT)],
)
async def test_a_refused_login_is_told_from_a_passing_one(answer: str, outcome: Outcome) -> None:
    async with smtp_server(login="quarq:right") as server:
        server.script["auth"] = answer

        with pytest.raises(DeliveryFailed) as caught:
            await send(mail_server(server, user="quarq", password="right"), MAIL)

        assert caught.value.outcome is outcome


async def test_it_signs_in() -> None:
    async with smtp_server(login="quarq:pässword") as server:
        await send(mail_server(server, user="quarq", password="pässword"), MAIL)

        assert len(server.accepted) == 1


async def test_a_server_without_login_or_starttls_is_an_account_fault(server: SmtpServer) -> None:
    for asks in ({"user": "quarq", "password": "x"}, {"tls": "starttls"}):
        with pytest.raises(DeliveryFailed) as caught:
            await send(mail_server(server, **asks), MAIL)

        assert caught.value.outcome is Outcome.ACCOUNT


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost, in one file, made for this run."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{file}.key", "-out", f"{file}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(Path(f"{file}.key").read_text() + Path(f"{file}.crt").read_text())
    return file


async def test_starttls_hides_the_login(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async with smtp_server(tls=context, login="quarq:right") as server:
        there = mail_server(
            server, host="localhost", tls="starttls", user="quarq", password="right", connect_s=5, command_s=5
        )
        await send(there, MAIL)

        assert len(server.accepted) == 1
        assert [command.split()[0] for command in server.commands[:4]] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


async def test_an_unknown_certificate_is_an_account_fault(certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async with smtp_server(tls=context) as server:
        there = mail_server(server, host="localhost", tls="starttls", connect_s=5, command_s=5)
        with pytest.raises(DeliveryFailed) as caught:
            await send(there, MAIL)

        assert caught.value.outcome is Outcome.ACCOUNT
        assert not server.accepted


async def test_check_asks_without_sending(server: SmtpServer) -> None:
    await check(mail_server(server))
    server.script["banner"] = "554 5.3.2 not for you"
    with pytest.raises(DeliveryFailed):
        await check(mail_server(server))

    assert not server.accepted


async def test_the_end_of_data_is_waited_for_ten_minutes() -> None:
    """RFC 5321, 4.5.3.2.6: whoever gives up earlier sends mails twice."""
    assert MailServer().data_s >= 600


async def test_while_the_server_hangs_nobody_waits_twice(server: SmtpServer) -> None:
    server.script["banner"] = STALL
    mailer = Mailer(mail_server(server, connect_s=1.5), sender="quarq@example.org", pause_s=60)

    with pytest.raises(DeliveryFailed):
        await mailer.send(MAIL)
    began = time.monotonic()
    outcomes = await asyncio.gather(*(mailer.send(MAIL) for _ in range(100)), return_exceptions=True)

    assert time.monotonic() - began < 1
    assert {failed.outcome for failed in outcomes if isinstance(failed, DeliveryFailed)} == {Outcome.UNREACHABLE}
    assert server.connections == 1


async def test_one_mail_tries_again_after_the_pause(server: SmtpServer) -> None:
    server.script["banner"] = [DROP]
    mailer = Mailer(mail_server(server), sender="quarq@example.org", pause_s=0)

    with pytest.raises(DeliveryFailed):
        await mailer.send(MAIL)
    await mailer.send(MAIL)

    assert len(server.accepted) == 1


async def test_a_check_ends_the_pause(server: SmtpServer) -> None:
    server.script["banner"] = [DROP, DROP]
    mailer = Mailer(mail_server(server), sender="quarq@example.org", pause_s=60)
    with pytest.raises(DeliveryFailed):
        await mailer.send(MAIL)

    assert await mailer.check() is not None
    assert await mailer.check() is None
    await mailer.send(MAIL)

    assert len(server.accepted) == 1


async def test_a_refused_mail_does_not_stop_the_next(server: SmtpServer) -> None:
    server.script["rcpt"] = ["550 5.1.1 no such person"]
    mailer = Mailer(mail_server(server), sender="quarq@example.org", pause_s=60)

    with pytest.raises(DeliveryFailed):
        await mailer.send(MAIL)
    await mailer.send(MAIL)

    assert len(server.accepted) == 1


async def test_many_mails_share_a_connection(server: SmtpServer) -> None:
    mailer = Mailer(mail_server(server), sender="quarq@example.org")

    with mailer.connection() as connection:
        for _ in range(5):
            await mailer.send(MAIL, over=connection)

    assert len(server.accepted) == 5
    assert server.connections == 1
    assert [line.split()[0] for line in server.commands].count("EHLO") == 1


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot"])
async def test_a_mail_that_was_refused_leaves_the_connection_good(server: SmtpServer, stage: str) -> None:
    server.script[stage] = ["550 no"]
    with Mailer(mail_server(server), sender="quarq@example.org").connection() as connection:
        with pytest.raises(DeliveryFailed):
            await connection.send(MAIL)
        await connection.send(MAIL)

    assert len(server.accepted) == server.connections == 1
    assert "RSET" in server.commands


@pytest.mark.parametrize("does", [DROP, "421 4.7.0 that was enough"])
async def test_a_connection_that_the_server_ends_is_opened_again(server: SmtpServer, does: str) -> None:
    """Many servers take only so many mails over one connection."""
    server.script["mail"] = [None, does]
    claims = 0

    async def claim() -> None:
        nonlocal claims
        claims += 1

    with Mailer(mail_server(server), sender="quarq@example.org").connection() as connection:
        await connection.send(MAIL, before_data=claim)
        await connection.send(MAIL, before_data=claim)

    assert (len(server.accepted), server.connections, claims) == (2, 2, 2)


async def test_an_uncertain_end_ends_the_connection_and_is_not_tried_again(server: SmtpServer) -> None:
    server.script["dot"] = [None, DROP_AFTER_DOT]
    with Mailer(mail_server(server), sender="quarq@example.org").connection() as connection:
        await connection.send(MAIL)
        with pytest.raises(DeliveryFailed) as caught:
            await connection.send(MAIL)
        assert caught.value.outcome is Outcome.UNCERTAIN
        assert len(server.accepted) == 2
        await connection.send(MAIL)

    assert (len(server.accepted), server.connections) == (3, 2)


async def test_only_an_answer_to_the_recipient_is_about_the_address(server: SmtpServer) -> None:
    refused = {}
    for stage in ("mail", "rcpt", "data", "dot"):
        server.script = {stage: ["550 no"]}
        with pytest.raises(DeliveryFailed) as caught:
            await send(mail_server(server), MAIL)
        refused[stage] = caught.value.address_refused

    assert refused == {"mail": False, "rcpt": True, "data": False, "dot": False}
