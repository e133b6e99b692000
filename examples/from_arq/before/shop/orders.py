"""What the shop sells, and what can go wrong. Jobs take and return these objects: pickle carries them."""

from dataclasses import dataclass


@dataclass
class Order:
    number: int
    total: float = 10.0
    declines: int = 0
    """How often the bank is busy before it takes the card; -1: it never takes it."""


@dataclass
class Receipt:
    order: Order
    currency: str


class CardDeclined(Exception):
    pass
