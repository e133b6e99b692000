"""Mail: write a message, send it to the SMTP server, and classify failures."""

from app.mail.address import AddressRefused
from app.mail.failures import GIVE_UP_AFTER, DeliveryFailed, Outcome, back_off
from app.mail.letters import FormLetter
from app.mail.mailer import Mailer, current_mailer
from app.mail.message import HeaderRefused, Parcel, compose
from app.mail.smtp import Connection, MailServer
from app.mail.writing import write

__all__ = [
    "GIVE_UP_AFTER",
    "AddressRefused",
    "Connection",
    "DeliveryFailed",
    "FormLetter",
    "HeaderRefused",
    "MailServer",
    "Mailer",
    "Outcome",
    "Parcel",
    "back_off",
    "compose",
    "current_mailer",
    "write",
]
