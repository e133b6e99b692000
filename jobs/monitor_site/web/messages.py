"""Sentences for people. Each has a code, which pages carry in `data-error` or `data-notice`. The code stays when the
sentence is rewritten. docs/pages.md lists these attributes."""

from __future__ import annotations

from typing import Self

from quart import flash


class Message(str):
    """One or two sentences, and their code."""

    __slots__ = ("code",)

    code: str

    def __new__(cls, code: str, sentence: str) -> Self:
        message = super().__new__(cls, sentence)
        message.code = code
        return message

    def format(self, *values: object, **named: object) -> Message:
        return Message(self.code, super().format(*values, **named))


class Refused(ValueError):
    """What a person wants is refused. The message is for that person."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.message = Message(code, sentence)


class WrongInput(Refused):
    """Like this it can never be done; any other Refused says that it cannot be done now."""


async def notify(message: Message, category: str = "success") -> None:
    """Show *message* on the next page; *category* is success, warning or error."""
    await flash(message, f"{category} {message.code}")
