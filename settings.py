"""Every setting of the site, read once from the environment and `.env`. No other module reads these."""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import email_addresses
from settings_readers import (
    days,
    email_address,
    host_name,
    language_code,
    long_secret,
    name_list,
    one_of,
    port_number,
    proxies,
    rate,
    redis_address,
    sender,
    site_name,
    sql_address,
    text_line,
    trace_address,
    web_address,
    zone_name,
)

ROOT = Path(__file__).resolve().parent
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's limit of 108, without the names of the sockets


MALLOC = "glibc.malloc.tcache_count=2000"
"""Of each size up to 1 kB, glibc keeps 2,000 freed blocks at hand instead of 7. A Valkey that is built with its malloc
then does a job with a sixth less CPU, and keeps 66 MB more at most. More blocks take memory without such a limit.
"""


def server_environment() -> dict[str, str]:
    """The environment of a Redis that this project starts. Of two values the last counts: that of the user."""
    users = os.environ.get("GLIBC_TUNABLES")
    return os.environ | {"GLIBC_TUNABLES": f"{MALLOC}:{users}" if users else MALLOC}


class SettingsError(ValueError):
    """A setting is wrong. The message is one sentence: the setting, its value, what to do."""


def setting(default: Any, read: Callable[[str], Any], meaning: str, *, hide: bool = False) -> Any:
    """A setting: its default, the reader of its text (a ValueError says what is wrong), and its meaning."""
    return field(default=default, repr=not hide, metadata={"read": read, "meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """The settings of an operator. All are optional: `__post_init__` fills in the empty ones."""

    base_url: str = setting("", web_address, "The site's address in mails; `http://HOST:PORT` if empty")
    host: str = setting("127.0.0.1", text_line, "Address that the web server listens on")
    port: int = setting(8000, port_number, "Port of the web server")
    trusted_proxies: int = setting(0, proxies, "Number of trusted reverse proxies in front of the site; 0 if empty")
    data_dir: Path = setting("var", Path, "Folder that holds all data")  # noqa: RUF009
    secret_key: str = setting("", long_secret, "Signs sessions and links; made in `DATA_DIR` if empty", hide=True)
    redis_url: str = setting("", redis_address, "Redis >= 7.0 or Valkey; embedded if empty", hide=True)
    database_url: str = setting("", sql_address, "SQLite or Postgres; SQLite in `DATA_DIR` if empty", hide=True)
    queues: tuple[str, ...] = setting(
        ("mail", "default", "digest"), name_list, "Queues this worker serves, in this order"
    )
    site_name: str = setting("Quarq", site_name, "Name of the site, in pages and mails")
    site_lang: str = setting("en", language_code, "Language of the site's content")
    timezone: str = setting("UTC", zone_name, "The site's time zone")
    owner_email: str = setting(
        "owner@localhost", email_address, "Address of the owner, who writes posts and sees the monitor"
    )
    smtp_server: str = setting("", host_name, "Mail server; if empty, mail is caught and shown under `/inbox`")
    smtp_port: int = setting(0, port_number, "Port of the mail server; 587, 465 or 25 by `SMTP_TLS` if empty")
    smtp_user: str = setting("", text_line, "Login at the mail server, if it needs one")
    smtp_password: str = setting("", text_line, "Password of that login", hide=True)
    smtp_tls: str = setting("starttls", one_of("starttls", "tls", "none"), "`starttls`, `tls` or `none`")
    smtp_from: str = setting("", sender, "Sender of all mail; needed with `SMTP_SERVER`")
    reminder_days: int = setting(90, days, "Days after which the text of a mailed or cancelled reminder is erased")
    unconfirmed_days: int = setting(7, days, "Days after which an unconfirmed address is deleted")
    digest_rate: int = setting(10, rate, "Mails of a digest per second, by all workers together")
    metrics_token: str = setting(
        "", long_secret, "Lets Prometheus read `/metrics`; without it only the owner may", hide=True
    )
    trace_url: str = setting(
        "", trace_address, "Address of a trace, `https://jaeger.example.org/trace/{trace_id}`: pages of jobs link to it"
    )
    log_level: str = setting("INFO", one_of(*LOG_LEVELS), "`DEBUG`, `INFO`, `WARNING` or `ERROR`")
    log_format: str = setting("text", one_of("text", "json"), "`text` for people, `json` for machines")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings of this process. The environment overrides `.env` in this folder."""
        if environ is None:
            environ = read_env_file(ROOT / ".env") | dict(os.environ)
        given: dict[str, Any] = {}
        for item in fields(cls):
            name = item.name.upper()
            if value := environ.get(name, "").strip():
                try:
                    given[item.name] = item.metadata["read"](value)
                except ValueError as error:
                    raise SettingsError(f"{name}={_shown(item.repr, value)} {error}") from None
        return cls(**given)

    def __post_init__(self) -> None:
        """Refuse contradictions, and fill in empty settings."""
        object.__setattr__(self, "data_dir", (ROOT / self.data_dir).resolve())
        if self.embedded_mail:
            self._keep_the_inbox_private()
        elif not self.smtp_from:
            raise SettingsError("SMTP_FROM is not set: with SMTP_SERVER, give the address that mail comes from")
        if not self.base_url and not is_loopback(self.host):
            raise SettingsError(f"BASE_URL is not set: with HOST={self.host!r}, give the address people type")
        if bool(self.smtp_user) != bool(self.smtp_password):
            raise SettingsError("SMTP_USER and SMTP_PASSWORD belong together: set both or neither")
        self._fill(
            base_url=f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}",
            redis_url=self._embedded_redis_url,
            database_url=f"sqlite+aiosqlite:///{self.data_dir}/site.db",
            secret_key=self.secret_key or _kept_secret(self.data_dir / "secret_key"),
            smtp_port={"starttls": 587, "tls": 465, "none": 25}[self.smtp_tls],
            smtp_from="quarq@localhost",
        )

    @property
    def embedded_mail(self) -> bool:
        """Whether `make run` catches mail and shows it on the inbox page, instead of sending it."""
        return not self.smtp_server

    @property
    def sender(self) -> str:
        """The sender of all mail, with the name of the site if SMTP_FROM has none."""
        name, address = email_addresses.split(self.smtp_from)
        return email_addresses.joined(name or self.site_name, address)

    @property
    def embedded_redis(self) -> bool:
        """Whether Redis is the one of `make run`."""
        return self.redis_url == self._embedded_redis_url

    @property
    def socket_dir(self) -> Path:
        """The folder of the sockets: the data folder, or a short one if a URL cannot hold its path."""
        path = str(self.data_dir)
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT - len("/redis.sock") and not set(path) & set("%?#"):
            return self.data_dir
        return Path(f"/tmp/quarq-{os.getuid()}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}")

    @property
    def smtp_socket(self) -> Path:
        """The socket of the embedded mail catcher."""
        return self.socket_dir / "smtp.sock"

    @property
    def _embedded_redis_url(self) -> str:
        return f"unix://{self.socket_dir}/redis.sock"

    def _fill(self, **defaults: Any) -> None:
        for name, value in defaults.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)

    def _keep_the_inbox_private(self) -> None:
        """Refuse settings that open the inbox to other machines, because it shows everyone's sign-in links."""
        for name, value in ("HOST", self.host), ("BASE_URL", self.base_url):
            if value and not is_loopback(urlsplit(value).hostname or value):
                raise SettingsError(
                    f"{name}={value!r} would show all mail to others: set SMTP_SERVER, or use 127.0.0.1"
                )


def is_loopback(host: str) -> bool:
    """Whether this host name or address can only mean this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_env_file(path: Path) -> dict[str, str]:
    """The NAME=value lines of a `.env` file. Quotes and `export` are optional. `#` begins a comment line."""
    known = {item.name.upper() for item in fields(Settings)}
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], start=1):
        line = line.strip().removeprefix("export ")
        name, equals, value = (part.strip() for part in line.partition("="))
        if not line or line.startswith("#"):
            continue
        if not equals or not name.isidentifier():
            raise SettingsError(f"{path}, line {number}: {line!r} is not NAME=value")
        if name not in known and (close := difflib.get_close_matches(name, known, cutoff=0.85)):
            raise SettingsError(f"{path}, line {number}: {name} is not a setting; did you mean {close[0]}?")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name] = value
    return found


def _shown(public: bool, value: str) -> str:
    """The value for an error message: only the scheme of a secret URL, and nothing of other secrets."""
    if public:
        return repr(value)
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://", value)
    return f"'{scheme[0]}***'" if scheme else "'***'"


def _kept_secret(path: Path) -> str:
    """The secret in this file. If the file does not exist, makes one that only its owner can read."""
    if not path.exists():
        try:
            _make_secret(path)
        except OSError as error:
            raise SettingsError(
                f"{path.parent} cannot be used ({error.strerror}): set DATA_DIR to a folder of yours"
            ) from None
    try:
        kept, mode = path.read_text().strip(), path.stat().st_mode & 0o777
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read ({error}): set SECRET_KEY, or make it readable") from None
    if len(kept) < 16:
        raise SettingsError(f"{path} holds no key of 16 characters or more: delete it, and a new one is made")
    if mode & 0o077:
        raise SettingsError(
            f"{path} can be read by others (mode {mode:o}): delete it, and a new one is made, or chmod 600 it"
        )
    return kept


def _make_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(draft, path)  # does not overwrite a file that another process has just made
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
