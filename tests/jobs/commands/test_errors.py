"""`errors`: what failed, in groups, and what an operator says of one."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from jobs import task
from jobs.client.connection import JobsRedis
from jobs.monitor import audit
from tests.documents import as_in_the_clone, run_commands
from tests.jobs.commands.conftest import Cli
from tests.jobs.worker.conftest import ROOT, StartWorker


@task(name="bank.charge")
async def charge(card: int) -> None:
    raise ConnectionError(f"bank refused card {card}")


async def test_errors_are_listed_shown_and_marked(connection: JobsRedis, start_worker: StartWorker, cli: Cli) -> None:
    await start_worker(tasks=[charge])
    results = [await charge.delay(n) for n in (4711, 4712)]
    for result in results:
        await result.get(timeout=10, propagate=False)

    listed = await cli("errors", "--since", "30m")
    [group] = json.loads((await cli("errors", "--json")).out)
    one = await cli("errors", group["id"])
    resolved = await cli("errors", group["id"], "--resolve")
    none, gone = await cli("errors"), await cli("errors", "--state", "resolved", "-q")
    ignored = json.loads((await cli("errors", group["id"], "--ignore", "--above", "5", "--json")).out)

    line = "bank.charge  ConnectionError: bank refused card …  commands/test_errors.py in charge"
    assert listed.out == f"{group['id']}  2  open  {line}\n1 error, 2 failed attempts.\n"
    assert one.out.startswith(f"{group['id']}  open  {line}\n2 of 2 failed attempts  first 20")
    assert {text.split("  ")[0] for text in one.out.splitlines()[2:]} == {result.id for result in results}
    assert one.out.count("FAILURE  ConnectionError: bank refused card 471") == 2
    assert "  resolved  " in resolved.out
    assert (none.out, gone.out) == ("0 errors, 0 failed attempts.\n", f"{group['id']}  2  resolved  {line}\n")
    assert (ignored["state"], ignored["above"], sum(ignored["counts"])) == ("ignored", 5, 2)
    assert [job["state"] for job in ignored["jobs"]] == ["FAILURE"] * 2
    noted = [(entry.what, entry.target, entry.result) for entry in (await audit(connection)).rows]
    assert noted == [(f"error {state}", group["id"], "done") for state in ("ignored", "resolved")]


async def test_what_it_refuses(cli: Cli) -> None:
    for words, code, text in (
        (["nobody"], 1, "no error 'nobody'"),
        (["nobody", "--resolve"], 1, "no error 'nobody'"),
        (["--resolve"], 64, "go with an ID"),
        (["x", "--above", "3"], 64, "--above with --ignore"),
        (["--since", "soon"], 64, "since:soon: write 15m, 1h or 2d"),
        (["--since", "-1h"], 64, "since:-1h"),
        (["--since", "2099-01-01"], 64, "since="),
        (["--since", "14:00"], 0, ""),
        (["--since", "9999d"], 0, ""),
    ):
        answer = await cli("errors", *words)

        assert (answer.code, text in answer.err) == (code, True), answer


SHOP = """
from jobs import task

class Declined(Exception): ...

def card_of(customer):
    if customer < 0:
        raise ValueError(f"no card of customer {customer}")
    return customer

@task(name="shop.charge")
async def charge(customer):
    raise Declined(f"card {card_of(customer)} was declined")
"""


async def test_the_page_shows_what_is_printed(
    redis_url: str, start_worker: StartWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "cards.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    from shop import cards  # type: ignore[import-not-found]

    await start_worker(tasks=[cards.charge])
    for result in await cards.charge.apply_many([(1,), (2,), (3,), (-4,)]):
        await result.get(timeout=10, propagate=False)

    section = as_in_the_clone(ROOT / "docs" / "monitoring.md").partition("\n## Errors\n")[2]
    [fence, *_] = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    page = re.sub(r"20\d\d-\d\d-\d\d [\d:]+ UTC", "...", fence)
    await asyncio.to_thread(run_commands, page, tmp_path, redis_url)
