"""The eleven questions answered by looking: what is clicked has a label, and what is read is on the page."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

from tests.jobs.monitor_site.night.operating import Operator
from tests.jobs.monitor_site.night.played import Night
from tests.jobs.monitor_site.night.reading import longest, only, reason, trend


async def why_is_it_not_running(operator: Operator, night: Night, job_id: str) -> Any:
    await operator.type_line(job_id)
    return reason(await operator.text(".reasons"), ZoneInfo(night.chosen.zone))


async def what_failed_in_the_last_hour(operator: Operator, night: Night) -> Any:
    await operator.section("Errors")
    rows = await operator.rows("Errors")
    found = [re.fullmatch(r"(\S+) .* · (\S+)", row["Error"]) for row in rows]
    errors = only(re.findall(r"(\d+) errors? caused", await operator.text()), "errors")
    return errors, {
        (error[2], error[1], int(row["Failed attempts"])) for error, row in zip(found, rows, strict=True) if error
    }


async def rerun_all_of_a_task(operator: Operator, night: Night, task: str) -> Any:
    since = night.since(ZoneInfo(night.chosen.zone))
    await operator.type_line(f"task:{task} state:failed since:{since}")
    await operator.click("Run all matching again …", "button")
    planned = int(only(re.findall(r"Jobs\s+(\d+) jobs?", await operator.text()), "plan"))
    await operator.click(re.compile(rf"^Run again: {planned} jobs?$"), "button")
    done = operator.page.get_by_text(f"{planned} of {planned}.")
    await done.wait_for()
    return planned, int(only(re.findall(r"(\d+) of \d+\.", await operator.text()), "run"))


async def which_worker_is_stuck(operator: Operator, night: Night) -> Any:
    [row] = await operator.rows("Jobs that run much longer than usual")
    task, job_id = row["Job"].split()
    return row["Worker"], job_id, task


async def who_paused_the_queue(operator: Operator, night: Night) -> Any:
    [(queue, who)] = re.findall(r"Queue (\S+) is paused by (\S+),", await operator.text())
    return queue, who


async def does_the_backlog_grow(operator: Operator, night: Night) -> Any:
    await operator.section("Queues")
    rows = {row["Queue"]: trend(row["Forecast"]) for row in await operator.rows("Queues")}
    return {queue: found for queue, found in rows.items() if found[0]}


async def where_went_the_time(operator: Operator, night: Night, workflow_id: str) -> Any:
    await operator.section("Workflows")
    await operator.click(re.compile(re.escape(night.chosen.steps[0])))
    text = await operator.text()
    return only(re.findall(r"State\s+([A-Z]+)\s", text), text), longest(text)


async def jobs_of_a_customer(operator: Operator, night: Night, customer: int) -> Any:
    await operator.type_line(f"customer_id:{customer}")
    return sorted(int(row["Arguments"].partition(",")[0]) for row in await operator.rows("Jobs"))


async def edit_and_run_again(operator: Operator, night: Night, job_id: str, note: str) -> Any:
    await operator.type_line(job_id)
    await operator.click("Edit and run again …")
    await operator.page.get_by_label("note").fill(f'"{note}"')
    await operator.click("Run", "button")
    text = await operator.text()
    return only(re.findall(r"Id\s+([0-9a-f]{32}~\d+)\s", text), text)


async def slowest_tasks(operator: Operator, night: Night, sort: str) -> Any:
    await operator.section("Tasks")
    await operator.click({"p95": "Run p95", "time": "Total time"}[sort])
    return (await operator.rows("Tasks"))[0]["Task"].split()[0]


async def what_did_the_deploy_change(operator: Operator, night: Night) -> Any:
    await operator.section("Versions")
    version = await operator.text("[aria-label=Version] [aria-current]")
    first, *_ = await operator.rows("Tasks before and after")
    assert first["Change"] == "worse"
    return version, first["Task"]
