"""What can go wrong: a task that names such an exception in `raises=` has it reach its caller as itself."""


class CardDeclined(Exception):
    pass
