"""The addresses of mail. The settings read theirs with the same functions."""

from email_addresses import AddressRefused, literal, parse, shown, stored

__all__ = ["AddressRefused", "literal", "parse", "shown", "stored"]
