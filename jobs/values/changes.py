"""Say a thing once for each change, not each time."""


class Changes:
    """Remembers the last value: what is logged, or done, once for each change asks `to`."""

    def __init__(self, last: object = "") -> None:
        self.last = last

    def to(self, value: object) -> bool:
        """Is *value* another one than the last?"""
        changed, self.last = value != self.last, value
        return changed
