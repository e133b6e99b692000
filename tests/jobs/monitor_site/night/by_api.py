"""The eleven questions asked of the API, a request each; two where something is done after a plan."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from tests.jobs.monitor_site.api_client import Program
from tests.jobs.monitor_site.night.played import Night
from tests.jobs.monitor_site.night.reading import longest, reason, trend
from tests.waiting import wait_until


async def got(program: Program, path: str, **query: Any) -> Any:
    answer = await program.get(path, **query)
    assert program.status == 200, answer
    return answer


async def posted(program: Program, path: str, **body: Any) -> Any:
    answer = await program.post(path, **body)
    assert program.status == 200, answer
    return answer


async def why_is_it_not_running(program: Program, night: Night, job_id: str) -> Any:
    [first, *_] = (await got(program, f"/jobs/{job_id}/why"))["rows"]
    assert reason(first["text"])[0] == first["code"]
    return reason(first["text"])


async def what_failed_in_the_last_hour(program: Program, night: Night) -> Any:
    rows = (await got(program, "/errors", since="1h"))["rows"]
    return str(len(rows)), {(row["task"], row["type"], row["count"]) for row in rows}


async def rerun_all_of_a_task(program: Program, night: Night, task: str) -> Any:
    since = night.since(ZoneInfo(night.chosen.zone))
    plan = await posted(program, "/plans", action="retry", q=f"task:{task} state:failed since:{since}")
    await posted(program, f"/plans/{plan['id']}/start")

    async def ended() -> Any:
        found = await got(program, f"/plans/{plan['id']}")
        return found["run"] and found["run"]["state"] == "SUCCESS" and found["plan"]

    run = await wait_until(ended, "the run to end")
    return plan["jobs"], run["done"] - run["skipped"]


async def which_worker_is_stuck(program: Program, night: Night) -> Any:
    [run] = (await got(program, "/long-runs"))["rows"]
    return run["worker"], run["id"], run["task"]


async def who_paused_the_queue(program: Program, night: Night) -> Any:
    [row] = [row for row in (await got(program, "/forecasts"))["rows"] if row["paused_by"]]
    return row["queue"]["name"], row["paused_by"]["who"]


async def does_the_backlog_grow(program: Program, night: Night) -> Any:
    rows = (await got(program, "/forecasts"))["rows"]
    return {row["queue"]["name"]: trend(row["words"]) for row in rows if trend(row["words"])[0]}


async def where_went_the_time(program: Program, night: Night, workflow_id: str) -> Any:
    found = await got(program, f"/workflows/{workflow_id}")
    return found["state"], longest(found["sentence"])


async def jobs_of_a_customer(program: Program, night: Night, customer: int) -> Any:
    rows = (await got(program, "/jobs", q=f"customer_id:{customer}"))["rows"]
    return sorted(int(row["args"].partition(",")[0]) for row in rows)


async def edit_and_run_again(program: Program, night: Night, job_id: str, note: str) -> Any:
    return (await posted(program, f"/jobs/{job_id}/run-again", arguments={"note": note}))["id"]


async def slowest_tasks(program: Program, night: Night, sort: str) -> Any:
    return (await got(program, "/tasks", sort=sort))["rows"][0]["name"]


async def what_did_the_deploy_change(program: Program, night: Night) -> Any:
    found = await got(program, "/comparison")
    return found["version"]["name"], found["changes"][0]["task"]
