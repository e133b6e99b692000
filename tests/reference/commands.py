"""The part of docs/options.md on the command line, made from click's own help."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

import click

from jobs.commands import commands
from tests.reference.described import one_line


def commands_of(group: click.Group, words: str = "python -m quarq_jobs") -> Iterator[tuple[str, click.Command]]:
    """Every command with what is typed for it, those of groups too."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{words} {name}")
        else:
            yield f"{words} {name}", command


def section() -> str:
    every = [command for _, command in commands_of(commands)]
    common = [
        name for name in names_of(every[0]) if sum(name in names_of(command) for command in every) > len(every) / 2
    ]
    lines = [
        f"Before the command: {options_of(commands)}.\n\n",
        f"Commands that ask: {options_of(every[0], common)}.\n\n",
    ]
    for words, command in commands_of(commands):
        typed = " ".join([words, *(one.make_metavar(click.Context(command)) for one in arguments_of(command))])
        own = options_of(command, [name for name in names_of(command) if name not in common])
        lines.append(f"- `{typed}`: {help_of(command)}{f' Options: {own}.' if own else ''}\n")
    return "".join(lines)


def help_of(command: click.Command) -> str:
    """Its help. A list in it, which click prints line by line, has semicolons; deeper lines continue the one above."""
    text, *blocks = (command.help or "").split("\b")
    listed = [one_line(re.sub(r"\n(?! {2,})", "; ", textwrap.dedent(block).strip())) + "." for block in blocks]
    return " ".join([one_line(text), *listed])


def names_of(command: click.Command) -> list[str]:
    shown = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return [max(one.opts, key=len) for one in shown]


def arguments_of(command: click.Command) -> list[click.Parameter]:
    return [one for one in command.params if isinstance(one, click.Argument)]


def options_of(command: click.Command, only: list[str] | None = None) -> str:
    texts = {
        max(one.opts, key=len): one_line(one.help).rstrip(".")
        for one in command.params
        if isinstance(one, click.Option)
    }
    shown = names_of(command) if only is None else only
    return ", ".join(f"`{name}`{f' ({texts[name]})' if texts[name] else ''}" for name in shown)
