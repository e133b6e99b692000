"""Mail: what a message is made of, how it is handed to the SMTP server, and what each failure means."""

from app.mail.address import AddressRefused
from app.mail.failures import DeliveryFailed, Outcome
from app.mail.mailer import Mailer, NoPlace, current_mailer
from app.mail.message import HeaderRefused, compose
from app.mail.smtp import MailServer

__all__ = [
    "AddressRefused",
    "DeliveryFailed",
    "HeaderRefused",
    "MailServer",
    "Mailer",
    "NoPlace",
    "Outcome",
    "compose",
    "current_mailer",
]
