"""Classify failed deliveries by what to do next. The whole table is in `docs/mail.md`."""

from __future__ import annotations

import random
import re
import ssl
from datetime import timedelta
from enum import StrEnum

from aiosmtplib import SMTPException, SMTPResponseException

GIVE_UP_AFTER = timedelta(days=4)  # without a reachable mail server; RFC 5321, 4.5.4.1
LONGEST_WAIT = timedelta(minutes=30)

# No such mailbox or domain, bad syntax, moved, a domain that takes no mail, a disabled mailbox.
NO_SUCH_ADDRESS = re.compile(r": 5\d\d 5\.(1\.(1|2|3|6|10)|2\.1)\b")
ADDRESS = re.compile(r"[^\s<>()\",;:]+@[^\s<>()\",;:]+")


class Outcome(StrEnum):
    """Why a mail was not delivered, and what to do."""

    UNREACHABLE = "unreachable"
    """The server is away or not ready, and did not judge this mail. Try again without counting a try."""

    ACCOUNT = "account"
    """The server refuses the site itself: password, certificate, policy. As UNREACHABLE, but the owner must act."""

    TRANSIENT = "transient"
    """The server refuses this mail for now. Try again, and count the tries."""

    PERMANENT = "permanent"
    """The server refuses this mail for good. Never try again."""

    UNCERTAIN = "uncertain"
    """The connection ended between DATA and the answer. The mail may have been delivered (RFC 1047)."""

    @property
    def host_fault(self) -> bool:
        """Whether the fault is not about this mail, so that the next mail would fail in the same way."""
        return self in (Outcome.UNREACHABLE, Outcome.ACCOUNT)


class Stage(StrEnum):
    """The stage that the SMTP conversation had reached."""

    CONNECT = "connecting"
    GREETING = "signing in"
    SENDER = "naming the sender"
    RECIPIENT = "naming the recipient"
    DATA = "handing over the text"


class DeliveryFailed(Exception):
    """The mail was not delivered, or (UNCERTAIN) may have been. `reason` is a sentence for its author."""

    def __init__(self, outcome: Outcome, reason: str, stage: Stage = Stage.CONNECT) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.reason = reason
        self.stage = stage

    @property
    def address_refused(self) -> bool:
        """Whether the server refuses the address, not the site or the text."""
        return self.outcome is Outcome.PERMANENT and self.stage is Stage.RECIPIENT

    @property
    def no_such_address(self) -> bool:
        """Whether the server says that there is no such address, so that every mail to it fails (RFC 3463, 3.2)."""
        return self.outcome is Outcome.PERMANENT and NO_SUCH_ADDRESS.search(self.reason) is not None


def back_off(away: timedelta) -> timedelta:
    """The wait before the next try: as long as the server has been away, from 1 to 30 minutes, with jitter."""
    return min(max(away, timedelta(minutes=1)), LONGEST_WAIT) * random.uniform(0.8, 1)


def classify(stage: Stage, error: BaseException) -> DeliveryFailed:
    """The failure that *error* means at *stage*."""
    if isinstance(error, SMTPResponseException) and error.code > 0:  # else the answer was unreadable
        answer = f"The mail server answered: {error.code} {_one_line(error.message)}"
        return DeliveryFailed(_answered(stage, error.code), answer, stage)
    return DeliveryFailed(_without_answer(stage, error), _silence(stage, error), stage)


def _answered(stage: Stage, code: int) -> Outcome:
    if code in (530, 534, 535, 538):  # they ask for a login, at any stage
        return Outcome.ACCOUNT
    if stage in (Stage.CONNECT, Stage.GREETING):
        return Outcome.ACCOUNT if code >= 500 else Outcome.UNREACHABLE
    if stage in (Stage.SENDER, Stage.RECIPIENT) and code == 421:  # the server is shutting down
        return Outcome.UNREACHABLE
    return Outcome.PERMANENT if code >= 500 else Outcome.TRANSIENT


def _without_answer(stage: Stage, error: BaseException) -> Outcome:
    if stage is Stage.DATA:
        return Outcome.UNCERTAIN
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Outcome.ACCOUNT
    if stage is Stage.GREETING and type(error) is SMTPException:  # the server offers no STARTTLS, or no login
        return Outcome.ACCOUNT
    return Outcome.UNREACHABLE


def _silence(stage: Stage, error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"The mail server did not answer in time ({stage})."
    return f"No connection with the mail server ({stage}): {_one_line(str(error))}"


def _one_line(words: str) -> str:
    """A server's answer on one line, shortened for a page or a log, without the addresses that it quotes."""
    printable = "".join(character if character.isprintable() else " " for character in words[:2000])
    return ADDRESS.sub("(address)", " ".join(printable.split()))[:300]
