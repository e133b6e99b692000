"""Settings: what is refused and in which words, where values come from, where they are listed."""

from __future__ import annotations

import os
import stat
from dataclasses import fields
from pathlib import Path

import pytest

from settings import ROOT, Settings, SettingsError, read_env_file


def settings(folder: Path, **environ: str) -> Settings:
    return Settings.from_env({"DATA_DIR": str(folder)} | environ)


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    found = settings(tmp_path)

    assert found.base_url == "http://127.0.0.1:8000"
    assert found.redis_url == f"unix://{tmp_path}/redis.sock"
    assert found.database_url == f"sqlite+aiosqlite:///{tmp_path}/site.db"
    assert found.smtp_socket == tmp_path / "smtp.sock"
    assert found.embedded_mail
    assert found.embedded_redis


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "http", "PORT='http' is not a port: use a whole number from 1 to 65535"),
        ("PORT", "65536", "PORT='65536' is not a port: use a whole number from 1 to 65535"),
        ("PORT", "٣", "PORT='٣' is not a port: use a whole number from 1 to 65535"),
        ("BASE_URL", "example.org", "BASE_URL='example.org' is not an address: begin it with http:// or https://"),
        (
            "BASE_URL",
            "https://a.org/blog",
            "BASE_URL='https://a.org/blog' says too much: give only http(s)://, the host and maybe a port",
        ),
        (
            "REDIS_URL",
            "http://user:secret@host",
            "REDIS_URL='http://***' is not an address: begin it with redis:// or rediss:// or unix://",
        ),
        (
            "DATABASE_URL",
            "mysql://host/site",
            "DATABASE_URL='mysql://***' is not an address: begin it with sqlite:// or postgresql://",
        ),
        (
            "SECRET_KEY",
            "short",
            "SECRET_KEY='***' is too short to be secret: use 16 characters or more, or leave it out",
        ),
        ("TIMEZONE", "Mars/Base", "TIMEZONE='Mars/Base' is not a time zone: use a name like Europe/Berlin or UTC"),
        ("TIMEZONE", "../etc", "TIMEZONE='../etc' is not a time zone: use a name like Europe/Berlin or UTC"),
        ("SITE_LANG", "english!", "SITE_LANG='english!' is not a language: use a code like en, de or zh-Hans"),
        (
            "OWNER_EMAIL",
            "a@a.org, b@b.org",
            "OWNER_EMAIL='a@a.org, b@b.org' cannot be used in mail. Enter one email address only.",
        ),
        ("UNCONFIRMED_DAYS", "0", "UNCONFIRMED_DAYS='0' is not a number of days: use a whole number from 1 to 3650"),
        ("SMTP_TLS", "ssl", "SMTP_TLS='ssl' is not known: use one of starttls, tls, none"),
        (
            "SITE_NAME",
            "Two\nlines",
            "SITE_NAME='Two\\nlines' holds a line break or control character: put it on one line",
        ),
        (
            "QUEUES",
            "mail,,a b",
            "QUEUES='mail,,a b' is not a list of names: separate them with commas, like mail,default",
        ),
        ("LOG_LEVEL", "loud", "LOG_LEVEL='loud' is not known: use one of DEBUG, INFO, WARNING, ERROR"),
        ("HOST", "0.0.0.0", "HOST='0.0.0.0' would show all mail to others: set SMTP_SERVER, or use 127.0.0.1"),
        (
            "BASE_URL",
            "https://example.org",
            "BASE_URL='https://example.org' would show all mail to others: set SMTP_SERVER, or use 127.0.0.1",
        ),
        (
            "SMTP_SERVER",
            "mail.example.org",
            "SMTP_FROM is not set: with SMTP_SERVER, give the address that mail comes from",
        ),
        ("SMTP_USER", "site", "SMTP_USER and SMTP_PASSWORD belong together: set both or neither"),
    ],
)
def test_a_wrong_value_is_one_sentence(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, **{name: value})

    assert str(caught.value) == sentence


def test_with_a_mail_server_the_site_may_listen_to_the_network_but_must_know_its_address(tmp_path: Path) -> None:
    mail = {"SMTP_SERVER": "mail.example.org", "SMTP_FROM": "Quarq <site@example.org>", "HOST": "0.0.0.0"}

    with pytest.raises(SettingsError, match=r"BASE_URL is not set: with HOST='0\.0\.0\.0'"):
        settings(tmp_path, **mail)

    assert settings(tmp_path, BASE_URL="https://example.org/", **mail).base_url == "https://example.org"


@pytest.mark.parametrize(("tls", "expected"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_mail_port_follows_the_encryption(tmp_path: Path, tls: str, expected: int) -> None:
    mail = {"SMTP_SERVER": "mail.example.org", "SMTP_FROM": "site@example.org", "SMTP_TLS": tls}

    assert settings(tmp_path, **mail).smtp_port == expected
    assert settings(tmp_path, **mail, SMTP_PORT="1025").smtp_port == 1025


def test_postgres_needs_no_driver_in_its_address(tmp_path: Path) -> None:
    found = settings(tmp_path, DATABASE_URL="postgresql://u:p@db/site")

    assert found.database_url == "postgresql+asyncpg://u:p@db/site"


def test_the_secret_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first, second = settings(tmp_path), settings(tmp_path)

    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 32
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_no_secret_shows_when_settings_are_printed(tmp_path: Path) -> None:
    found = settings(tmp_path, SMTP_USER="u", SMTP_PASSWORD="hush-hush", REDIS_URL="redis://:hush-hush@host")

    assert "hush" not in repr(found)
    assert found.secret_key not in repr(found)


@pytest.mark.parametrize("folder", ["a" * 100, "what?", "50%", "#1"])
def test_sockets_move_to_a_short_folder_when_the_path_suits_no_url(tmp_path: Path, folder: str) -> None:
    found = settings(tmp_path / folder)

    assert found.redis_url.startswith(f"unix:///tmp/quarq-{os.getuid()}-")
    assert found.smtp_socket.parent == found.socket_dir
    assert len(found.redis_url.removeprefix("unix://")) < 108
    assert found.redis_url == settings(tmp_path / folder).redis_url


def test_an_env_file_may_quote_export_and_comment(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# ours\n\nSITE_NAME='Quarq # 夸克'\nexport PORT = 8001\nPOSTGRES_PASSWORD=x=y\n")

    assert read_env_file(file) == {"SITE_NAME": "Quarq # 夸克", "PORT": "8001", "POSTGRES_PASSWORD": "x=y"}


def test_a_missing_env_file_is_an_empty_one(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env") == {}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("PORT 8001", "line 1: 'PORT 8001' is not NAME=value"),
        ("SMTP_SEVER=mail", "line 1: SMTP_SEVER is not a setting; did you mean SMTP_SERVER?"),
    ],
)
def test_a_wrong_line_in_the_env_file_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    file = tmp_path / ".env"
    file.write_text(line)

    with pytest.raises(SettingsError) as caught:
        read_env_file(file)

    assert str(caught.value) == f"{file}, {sentence}"


def table() -> list[str]:
    """The rows that docs/site.md must hold."""
    rows = []
    for item in fields(Settings):
        default = ",".join(item.default) if isinstance(item.default, tuple) else item.default or ""
        rows.append(f"| `{item.name.upper()}` | {f'`{default}`' if default else ''} | {item.metadata['meaning']} |")
    return rows


def test_the_page_of_the_site_lists_every_setting() -> None:
    lines = (ROOT / "docs" / "site.md").read_text().splitlines()

    assert [row for row in table() if row not in lines] == []
    assert [line for line in lines if line.startswith("| `") and line.split("`")[1].isupper()] == table()


def test_the_example_env_file_names_every_setting_and_changes_nothing(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text()

    assert [i.name for i in fields(Settings) if f"\n#{i.name.upper()}=" not in text] == []
    assert read_env_file(ROOT / ".env.example") == {}
