"""The eleven questions asked on the command line, one line each."""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import Any

from tests.jobs.commands.conftest import Said, run_command
from tests.jobs.monitor_site.night.played import Night
from tests.jobs.monitor_site.night.reading import longest, only, reason, trend


async def typed(night: Night, line: str, code: int = 0) -> Said:
    said = await asyncio.to_thread(run_command, ["--redis-url", night.redis_url, *shlex.split(line)])
    assert said.code == code, (line, said)
    return said


async def why_is_it_not_running(night: Night, job_id: str) -> Any:
    return reason((await typed(night, f"why {job_id}")).out)


async def what_failed_in_the_last_hour(night: Night) -> Any:
    said = await typed(night, "errors --since 1h")
    found = [re.split(r"  +", line) for line in said.lines[:-1]]
    return only(re.findall(r"^(\d+) errors?, ", said.lines[-1]), said.out), {
        (task, error.partition(":")[0], int(times)) for _, times, _, task, error, *_ in found
    }


async def rerun_all_of_a_task(night: Night, task: str) -> Any:
    """How many there are by the plan, and how many were run again."""
    said = await typed(night, f"retry --where 'task:{task} state:failed since:{night.since()}' -f")
    planned = only(re.findall(r"^retry: (\d+) jobs?$", said.err, re.MULTILINE), said.err)
    return int(planned), int(only(re.findall(r"SUCCESS, (\d+) of \d+ jobs?$", said.out.strip()), said.out))


async def which_worker_is_stuck(night: Night) -> Any:
    lines = (await typed(night, "status")).lines
    where = [n for n, line in enumerate(lines) if "runs for" in line]
    assert len(where) == 1, lines
    job_id, task, *_ = lines[where[0]].split()
    return lines[where[0] - 1].partition(":")[0], job_id, task


async def who_paused_the_queue(night: Night) -> Any:
    said = await typed(night, "queues")
    [(queue, who)] = re.findall(r"^(\S+): .*: paused by (\S+) since", said.out, re.MULTILINE)
    return queue, who


async def does_the_backlog_grow(night: Night) -> Any:
    said = await typed(night, "queues")
    return {line.partition(":")[0]: trend(line) for line in said.lines if trend(line)[0]}


async def where_went_the_time(night: Night, workflow_id: str) -> Any:
    said = await typed(night, f"workflows {workflow_id}")
    state = said.lines[0].split()[-1]
    return state, longest(said.lines[2])


async def jobs_of_a_customer(night: Night, customer: int) -> Any:
    lines = (await typed(night, f"jobs customer_id:{customer}")).lines[:-1]
    return sorted(int(only(re.findall(r"\((\d+), ", line), line)) for line in lines)


async def edit_and_run_again(night: Night, job_id: str, note: str) -> Any:
    """The new job."""
    return (await typed(night, f"retry {job_id} --set 'note=\"{note}\"'")).out.strip()


async def slowest_tasks(night: Night, sort: str) -> Any:
    return (await typed(night, f"tasks --sort {sort}")).lines[0].partition(":")[0]


async def what_did_the_deploy_change(night: Night) -> Any:
    said = await typed(night, "versions")
    [(version, task)] = re.findall(r"(\S+), .*since.*:\n  (\S+): p95", said.out)
    return version, task
