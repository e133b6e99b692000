"""The bank at the other end. Tests set how many calls it does not answer."""

outages = 0


class BankAway(ConnectionError):
    pass


class CardRefused(Exception):
    pass


def charge(card):
    global outages
    if outages:
        outages -= 1
        raise BankAway("the bank does not answer")
    if card == "0002":
        raise CardRefused(f"card {card} is refused")
    return f"paid with {card}"
