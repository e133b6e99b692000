"""What a failed delivery means for what to do next. The whole table is in `docs/mail.md`."""

from __future__ import annotations

import random
import re
import ssl
from datetime import timedelta
from enum import StrEnum

from aiosmtplib import SMTPException, SMTPResponseException

GIVE_UP_AFTER = timedelta(days=4)  # without a mail server to talk to; RFC 5321, 4.5.4.1
LONGEST_WAIT = timedelta(minutes=30)

# No such mailbox or domain, no mailbox by that syntax, moved, a domain that takes no mail, a disabled mailbox.
NO_SUCH_ADDRESS = re.compile(r": 5\d\d 5\.(1\.(1|2|3|6|10)|2\.1)\b")
ADDRESS = re.compile(r"[^\s<>()\",;:]+@[^\s<>()\",;:]+")


class Outcome(StrEnum):
    """Why a mail was not delivered. Every member says what the sender of the mail must do."""

    UNREACHABLE = "unreachable"
    """The server is away or not ready. Nothing was said about this mail: try again, and count no try."""

    ACCOUNT = "account"
    """The server refuses *us*: password, certificate, policy. As UNREACHABLE, and somebody has to look."""

    TRANSIENT = "transient"
    """"Not now", said to this mail. Try again; the tries are counted."""

    PERMANENT = "permanent"
    """"No", said to this mail. Never try again."""

    UNCERTAIN = "uncertain"
    """The connection ended between DATA and the answer: it may have been delivered (RFC 1047)."""

    @property
    def host_fault(self) -> bool:
        """Nothing was said about the mail, so the next one will fare the same."""
        return self in (Outcome.UNREACHABLE, Outcome.ACCOUNT)


class Stage(StrEnum):
    """How far the conversation had come."""

    CONNECT = "connecting"
    GREETING = "signing in"
    SENDER = "naming the sender"
    RECIPIENT = "naming the recipient"
    DATA = "handing over the text"


class DeliveryFailed(Exception):
    """The mail was not delivered, or (UNCERTAIN) nobody knows. `reason` is a sentence for its owner."""

    def __init__(self, outcome: Outcome, reason: str, stage: Stage = Stage.CONNECT) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.reason = reason
        self.stage = stage

    @property
    def address_refused(self) -> bool:
        """The server will take no mail for this address; it did not judge us or the text."""
        return self.outcome is Outcome.PERMANENT and self.stage is Stage.RECIPIENT

    @property
    def no_such_address(self) -> bool:
        """The server said that nobody can be reached there: no other mail will fare better (RFC 3463, 3.2)."""
        return self.outcome is Outcome.PERMANENT and NO_SUCH_ADDRESS.search(self.reason) is not None


def back_off(away: timedelta) -> timedelta:
    """1, 2, 4 ... 30 minutes: as long again as the server has been away, and not all at the same moment."""
    return min(max(away, timedelta(minutes=1)), LONGEST_WAIT) * random.uniform(0.8, 1)


def classify(stage: Stage, error: BaseException) -> DeliveryFailed:
    """What *error*, met at *stage*, means."""
    if isinstance(error, SMTPResponseException) and error.code > 0:  # else it was no answer that we can read
        answer = f"The mail server answered: {error.code} {_one_line(error.message)}"
        return DeliveryFailed(_answered(stage, error.code), answer, stage)
    return DeliveryFailed(_without_answer(stage, error), _silence(stage, error), stage)


def _answered(stage: Stage, code: int) -> Outcome:
    if code in (530, 534, 535, 538):  # all of them ask us to sign in, whatever they were said to
        return Outcome.ACCOUNT
    if stage in (Stage.CONNECT, Stage.GREETING):
        return Outcome.ACCOUNT if code >= 500 else Outcome.UNREACHABLE
    if (
        stage in (Stage.SENDER, Stage.RECIPIENT) and code == 421
    ):  # the server is closing down; it is not about this mail
        return Outcome.UNREACHABLE
    return Outcome.PERMANENT if code >= 500 else Outcome.TRANSIENT


def _without_answer(stage: Stage, error: BaseException) -> Outcome:
    if stage is Stage.DATA:
        return Outcome.UNCERTAIN
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return Outcome.ACCOUNT
    if stage is Stage.GREETING and type(error) is SMTPException:  # it offers no STARTTLS, or no login
        return Outcome.ACCOUNT
    return Outcome.UNREACHABLE


def _silence(stage: Stage, error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"The mail server did not answer in time ({stage})."
    return f"No connection with the mail server ({stage}): {_one_line(str(error))}"


def _one_line(words: str) -> str:
    """What a server said, cut to what a page and a log line can hold, without the addresses that it repeats."""
    printable = "".join(character if character.isprintable() else " " for character in words[:2000])
    return ADDRESS.sub("(address)", " ".join(printable.split()))[:300]
