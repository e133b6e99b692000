"""docs/monitoring.md: its table of questions at night names pages, commands and addresses that there are."""

from __future__ import annotations

import inspect
import re
import shlex
from urllib.parse import urlsplit

import click
import pytest

from jobs import monitor_app
from jobs.commands import COMMANDS
from jobs.monitor_site.api.endpoints import ENDPOINTS
from settings import ROOT
from tests.jobs.monitor_site.night import by_command

TABLE = re.search(r"\n\| question \|.*?\n\n", (ROOT / "docs" / "monitoring.md").read_text(), re.DOTALL)
ROWS = (
    [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in TABLE[0].split("\n")[3:-2]] if TABLE else []
)


def test_there_is_a_row_for_each_question() -> None:
    asked = [name for name, one in vars(by_command).items() if inspect.iscoroutinefunction(one) and name != "typed"]

    assert len(ROWS) == len(asked) == 11


@pytest.mark.parametrize(("question", "page", "line", "address"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_what_there_is(question: str, page: str, line: str, address: str) -> None:
    rules = {rule.rule for rule in monitor_app("redis://localhost").url_map.iter_rules()}
    assert urlsplit(page).path in rules

    name, *words = shlex.split(line)
    [command] = [one for one in COMMANDS if one.name == name]
    with click.Context(command) as context:
        command.parse_args(context, words)  # a UsageError names what there is not

    known = {re.sub(r"\{\w+\}", "X", one.path) for one in ENDPOINTS}
    assert urlsplit(address).path in known
