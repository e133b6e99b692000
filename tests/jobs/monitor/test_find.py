"""`find`: jobs in every state, page by page, by every filter; and never by a secret."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count as numbers
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import Result, chord, encoding, group, task
from jobs.client.connection import JobsRedis
from jobs.monitor import JobRow, Wanted, find, matching
from jobs.monitor_site import count, parse
from jobs.monitor_site.model.wanted import Needle
from jobs.store import keys
from jobs.store.keys import Keys
from tests.jobs.monitor.conftest import Reach, StartOnline
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import StartWorker
from tests.registered_tasks import forget
from tests.waiting import wait_until


def wanted(line: str) -> Wanted:
    return parse(line).wanted(datetime.now(UTC))


async def all_of(connection: JobsRedis, limit: int = 50, **filters: Any) -> list[JobRow]:
    """Every page, one after the other."""
    rows, cursor = [], ""
    while True:
        page = await find(connection, cursor=cursor, limit=limit, **filters)
        assert len(page.rows) <= limit
        rows += page.rows
        cursor = page.next
        if not cursor:
            return rows


async def test_jobs_in_every_state_are_found(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    later = await tasks.log.apply_async(("later",), countdown=3600)
    await start_online()
    good, bad, waits = (await tasks.log.delay("good"), await tasks.fail.delay("bad"), await tasks.patient.delay())
    runs = await tasks.nap.delay(30)
    revoked = await tasks.log.apply_async(("never",), countdown=60)
    await revoked.revoke()
    other = await tasks.log.apply_async(("nobody serves it",), queue="mail")
    for result, state in ((good, "SUCCESS"), (bad, "FAILURE"), (waits, "RETRY"), (runs, "STARTED")):
        await reach(result, state)

    async def ids(**filters: Any) -> set[str]:
        return {row.id for row in await all_of(connection, **filters)}

    assert await ids() == {r.id for r in (later, good, bad, waits, runs, revoked, other)}
    assert await ids(state="SUCCESS") == {good.id}
    assert await ids(state="FAILURE") == {bad.id}
    assert await ids(state="REVOKED") == {revoked.id}
    assert await ids(state="ended") == {good.id, bad.id, revoked.id}
    assert await ids(state="RETRY") == {waits.id}
    assert await ids(state="STARTED") == {runs.id}
    assert await ids(state="PENDING") == {later.id, other.id}
    assert await ids(state="waiting") == {other.id}
    assert await ids(state="scheduled") == {later.id, waits.id}
    assert await ids(queue="mail") == {other.id}
    assert await ids(task="tests.nap") == {runs.id}
    assert await ids(task="tests.log", state="ended") == {good.id, revoked.id}
    [row] = await all_of(connection, state="FAILURE")
    assert (row.task, row.args, row.error, row.queue) == ("tests.fail", "'bad'", "ValueError: bad", "default")
    assert await ids(worker=row.worker, state="ended") == {good.id, bad.id}
    assert await ids(worker="nobody") == set()
    [row] = await all_of(connection, state="RETRY")
    assert (row.kind, row.error) == ("retry", "OSError: not today")
    with pytest.raises(ValueError, match="state='LOST': it is one of pending, retry"):
        await find(connection, state="LOST")


async def test_pages_follow_each_other_newest_first(connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    results = await tasks.log.apply_many([(n,) for n in range(57)])
    for result in results:
        await result.get(timeout=10)
    for _ in range(9):
        await tasks.log.apply_async(("later",), countdown=3600)

    rows = await all_of(connection, limit=10)

    assert len(rows) == len({row.id for row in rows}) == 66
    ended = [row.finished for row in rows[:57] if row.finished]
    assert ended == sorted(ended, reverse=True)
    assert len(ended) == 57
    since, until = ended[30], ended[10]
    found = await all_of(connection, state="ended", since=since, until=until)
    assert {row.id for row in found} == {row.id for row in rows[:57] if row.finished and since <= row.finished <= until}
    assert await all_of(connection, state="ended", since=ended[0] + timedelta(seconds=1)) == []


def cursor_of(*words: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(words).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    ["x", "💥", cursor_of(), cursor_of(1, "", ""), cursor_of(["a"], "", ""), cursor_of("ended", 1, "")]
    + [cursor_of("ended", score, "") for score in ("x", "nan", "infinity", " 1", "1_0", "٣", "9" * 400)],
)
async def test_a_cursor_that_nobody_gave_is_refused(connection: JobsRedis, cursor: str) -> None:
    with pytest.raises(ValueError, match="take it from the page before"):
        await find(connection, cursor=cursor)


async def test_a_cursor_whose_job_is_gone_goes_on_from_its_time(connection: JobsRedis) -> None:
    results = await tasks.log.apply_many([(n,) for n in range(30)], countdown=3600)
    first = await find(connection, limit=10)
    await Result(first.rows[-1].id).revoke()

    rest = await find(connection, state="scheduled", cursor=first.next, limit=50)

    assert {row.id for row in first.rows + rest.rows} == {result.id for result in results}


async def test_text_is_found_in_any_language(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    waiting = await tasks.log.apply_async(("明天早上提醒我浇花",), countdown=3600)
    await start_online()
    ended = await tasks.log.delay({"note": ["مرحبا بالعالم"]})
    failed = await tasks.fail.delay("kaputt 🥀")
    await reach(ended, "SUCCESS")
    await reach(failed, "FAILURE")

    for text, result in (
        ("早上", waiting), ("بالعالم", ended), ("🥀", failed), ("ValueError: kaputt", failed),
        (ended.id, ended), (ended.id[3:20], ended),
    ):  # fmt: skip
        assert [row.id for row in await all_of(connection, text=text)] == [result.id], text
    assert await all_of(connection, text="晚上") == []


HELD = {
    "4711": [4711, {"id": 4711}, (4711,), "no. 4711", 4711.0],
    "-5": [-5],
    "300": [300],
    "12.5": [12.5, Decimal("12.5")],
    "18446744073709551615": [2**64 - 1],
    "123456789012345678901234567890": [123456789012345678901234567890],
    "6f9619ff-8b86-d011-b42d-00c04fc964ff": [UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")],
    "6F9619FF8B86D011B42D00C04FC964FE": [UUID("6f9619ff-8b86-d011-b42d-00c04fc964fe")],
    "2026-11-30 10:15": [datetime(2026, 11, 30, 10, 15, tzinfo=UTC)],
    "2026-12-01T10:15": [datetime(2026, 12, 1, 10, 15, tzinfo=UTC)],
    "2026-12-24": [date(2026, 12, 24)],
    "1e3": [1000, 1000.0],
    "mixed CASE": ["Mixed case", "MIXED CASE", ["a mixed casE"]],
    "ärger": ["Ärger", "ÄRGER"],
    "привет": ["ПРИВЕТ", "Привет, мир"],
    "早上": ["明天早上"],
}
"""A text, and arguments that a search for it finds."""


async def test_a_text_finds_what_is_written_so_whatever_it_is_stored_as(connection: JobsRedis) -> None:
    names = (f"id-{'x' * length}" for length in numbers(1))  # a search finds ids, too: these hold no digit
    wanted = {
        text: [(await tasks.log.apply_async((value,), countdown=3600, task_id=next(names))).id for value in values]
        for text, values in HELD.items()
    }

    for text, ids in wanted.items():
        assert sorted(row.id for row in await all_of(connection, text=text)) == sorted(ids), text
    for other in ("4712", "-4711", "12.50001", "true", "none"):
        assert await all_of(connection, text=other) == [], other


@given(
    st.text(st.characters(codec="utf-8"), max_size=20)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.uuids()
    | st.dates()
)
def test_no_call_is_passed_over_that_holds_the_text(value: Any) -> None:
    """What Redis compares is a first look: it may let through too many calls, and never too few."""
    needle = Needle(str(value).strip())

    first_look = needle.as_stored() or [b""]

    assert needle.is_in(value)
    assert any(one in encoding.dumps([value]).lower() for one in first_look)


@pytest.fixture
def create_user() -> Iterator[Any]:
    @task(name="monitor.create_user")
    async def create_user(name: str, password: str, *, options: dict[str, str] | None = None) -> None:
        raise ValueError("no such user")

    yield create_user
    forget("monitor.create_user")


async def test_a_search_does_not_tell_whether_a_secret_holds_a_text(
    connection: JobsRedis, create_user: Any, start_worker: StartWorker, reach: Reach
) -> None:
    options = {"api_key": "swordfish"}
    waiting = await create_user.apply_async(("John Doe", "hunter2"), {"options": options}, countdown=3600)
    await start_worker(tasks=[create_user], lease_renewal=0.2)
    ended = await create_user.apply_async(("Jane Doe", "hunter2"), {"options": options})
    await reach(ended, "FAILURE")

    for secret in ("hunter2", "hunt", "swordfish", "ter"):
        assert (await find(connection, text=secret)).rows == []
    rows = (await find(connection, text="Doe")).rows
    assert {row.id for row in rows} == {waiting.id, ended.id}
    assert {row.args for row in rows} == {
        f"'{name} Doe', password='***', options={{'api_key': '***'}}" for name in ("John", "Jane")
    }


async def test_a_search_that_finds_nothing_ends_and_says_how_far_it_came(connection: JobsRedis) -> None:
    await tasks.log.apply_many([(n,) for n in range(3000)], countdown=3600)

    pages, cursor, looked = 0, "", []
    while True:
        page = await find(connection, text="nowhere", cursor=cursor)
        pages += 1
        cursor = page.next
        if not cursor:
            break
        looked.append(page.looked_back_to)

    assert all(looked)
    assert pages < 100


async def test_a_search_along_a_few_small_queues_reaches_what_has_ended_whatever_time_it_takes(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    """Redis may be far away, or the machine busy."""
    await start_online()
    ended = await tasks.log.delay("needle")
    await reach(ended, "SUCCESS")
    for n in range(5):
        await tasks.log.apply_async((n,), queue=f"q{n}")
    await tasks.log.apply_many([(n,) for n in range(1000)], countdown=3600)

    page = await find(connection, text="needle", patience_s=0)

    assert [row.id for row in page.rows] == [ended.id]
    assert page.next  # of those that are due later, not all were looked at


async def test_workflows_and_their_members(connection: JobsRedis, start_online: StartOnline, reach: Reach) -> None:
    await start_online()
    ended = await chord(group(tasks.log.s(n) for n in range(3)), tasks.log.s()).delay()
    await reach(ended, "SUCCESS")
    goes_on = await group(tasks.nap.s(30)).delay()

    async def runs() -> bool:
        return len(await all_of(connection, state="STARTED")) == 2

    await wait_until(runs, "the workflow and its member to run")
    kinds = {row.id: (row.kind, row.parent) for row in await all_of(connection)}
    assert kinds[ended.id] == kinds[goes_on.id] == ("workflow", "")
    assert kinds[f"{ended.id}:0.2"] == ("member", ended.id)


async def test_the_indexes_forget_with_the_history(
    connection: JobsRedis, start_online: StartOnline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "HISTORY_LENGTH", 5)
    for n in range(20):
        await (await tasks.log.apply_async((n,), countdown=60)).revoke()
    await (await tasks.nap.apply_async((1,), countdown=60)).revoke()
    assert await connection.zcard(Keys.HISTORY) == 5
    for n in range(20):
        await (await tasks.fail.apply_async((n,), countdown=60)).revoke()

    in_history = set(await connection.zrange(Keys.HISTORY, 0, -1))
    assert len(in_history) == 5
    for key in (Keys.UNSUCCESSFUL, f"{Keys.ENDED}tests.log", f"{Keys.ENDED}tests.nap", f"{Keys.ENDED}tests.fail"):
        assert set(await connection.zrange(key, 0, -1)) <= in_history, key
    assert len(await all_of(connection)) == 5


async def test_a_job_that_is_forgotten_or_begins_again_stands_in_no_index(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    result = await tasks.fail.delay()
    flow = await group(tasks.fail.s(), tasks.log.s(1)).delay()
    await reach(result, "FAILURE")
    await reach(flow, "FAILURE")
    await result.forget()
    await connection.sadd(Keys.PAUSED, "default")
    await flow.retry_failed()

    for key in (Keys.HISTORY, Keys.UNSUCCESSFUL, f"{Keys.ENDED}tests.fail", f"{Keys.ENDED}jobs.workflow"):
        assert set(await connection.zrange(key, 0, -1)) <= {f"{flow.id}:1".encode()}, key


async def test_a_large_call_is_shown_as_far_as_it_is_read(connection: JobsRedis) -> None:
    result = await tasks.log.apply_async((["早" * 200, "x" * 100_000, "the end"],), countdown=60)
    other = await tasks.multiply.apply_async(("near", "y" * 100_000), countdown=60)

    rows = {row.id: row for row in await all_of(connection)}

    assert rows[other.id].args == "'near'…"
    assert rows[result.id].args == "…"
    assert [row.id for row in await all_of(connection, text="near")] == [other.id]
    assert await all_of(connection, text="the end") == []
    assert {row.id for row in await all_of(connection, text=result.id)} == {result.id}


async def test_ended_members_of_a_workflow_show_their_arguments_and_are_found_by_them(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    flow = await chord(
        [tasks.log.s({"note": "给植物浇水", "password": "hunter2"}), tasks.fail.s("枯萎")], tasks.log.s()
    ).delay()
    await reach(flow, "FAILURE")
    handed_on = await (tasks.multiply.s("嫩芽", 2) | tasks.log.s()).delay()
    await reach(handed_on, "SUCCESS")

    for text, ids in (
        ("浇水", [f"{flow.id}:0.0"]), ("枯萎", [f"{flow.id}:0.1"]), ("hunter2", []),
        ("嫩芽嫩芽", [f"{handed_on.id}:1"]), ("嫩芽", [f"{handed_on.id}:1", f"{handed_on.id}:0"]),
    ):  # fmt: skip
        assert [row.id for row in await all_of(connection, text=text) if row.kind == "member"] == ids, text
    args = {row.id: row.args for row in await all_of(connection, state="ended")}
    assert args[f"{flow.id}:0.0"] == "{'note': '给植物浇水', 'password': '***'}"
    assert args[f"{flow.id}:0.1"] == "'枯萎'"
    assert args[f"{handed_on.id}:1"] == "'嫩芽嫩芽'"


async def test_a_revoked_member_is_found_too(connection: JobsRedis, start_online: StartOnline) -> None:
    await start_online()
    flow = await group(tasks.log.s("嫩芽").set(countdown=60), tasks.log.s("x" * 70_000)).delay()
    member = Result(f"{flow.id}:1")
    await wait_until(member.ready, "one member to end")

    await Result(f"{flow.id}:0").revoke()

    assert [row.args for row in await all_of(connection, text="嫩芽")] == ["'嫩芽'"]
    [row] = [row for row in await all_of(connection, state="ended") if row.id == member.id]
    assert (row.args, row.state) == ("", "SUCCESS")


async def test_a_query_finds_by_times_errors_and_attempts_and_sorts(
    connection: JobsRedis, start_online: StartOnline, reach: Reach
) -> None:
    await start_online()
    naps = [await tasks.nap.delay(seconds) for seconds in (0.2, 0.4, 0)]
    for nap in naps:
        await nap.get(timeout=10)
    bad, waits = await tasks.fail.delay("bad"), await tasks.patient.delay()
    await reach(bad, "FAILURE")
    await reach(waits, "RETRY")
    names = {result.id: n for n, result in enumerate([*naps, bad, waits])}

    async def found(line: str) -> list[int]:
        return [names[row.id] for row in await all_of(connection, wanted=wanted(line))]

    assert await found("task:tests.nap sort:took") == [1, 0, 2]
    starts = [row.started for row in await all_of(connection, wanted=wanted("sort:started")) if row.started]
    assert starts == sorted(starts, reverse=True)
    assert len(starts) == 5
    assert await found("state:ended sort:oldest") == [*reversed(await found("state:ended sort:newest"))]
    assert sorted(await found("took:>150ms took:<300ms")) == [0]
    error_id = (await find(connection, state="FAILURE")).rows[0].error_id
    assert await found(f"error:{error_id}") == [3]
    assert await found(f"error:{error_id[:-1]}") == []
    assert await found("error:*") == [3, 4]
    assert await found("attempts:1 state:retry,failed") == [3, 4]
    assert await found("waited:>1h") == []


async def test_all_that_match_are_counted_and_read_in_bounded_steps(connection: JobsRedis) -> None:
    later = await tasks.log.apply_many([(n,) for n in range(1_200)], countdown=3600)
    await tasks.multiply.apply_async((1, 2), countdown=3600)
    query = wanted("task:tests.l* state:scheduled")

    await connection.config_resetstat()
    found = [row.id async for row in matching(connection, query)]

    assert sorted(found) == sorted(result.id for result in later)
    assert (await connection.info("commandstats"))["cmdstat_evalsha"]["calls"] <= 1_201 // 250 + 3
    assert await count(connection, query) == (1_200, True)
    assert await count(connection, query, limit=1_000) == (1_000, False)
    assert (await count(connection, query, patience_s=0))[1] is False
    assert await count(connection, wanted("message:77")) == (0, True), "no worker has declared its names"
    assert await count(connection, wanted('"1":77')) == (1, True)
    assert [row.args async for row in matching(connection, wanted('"1":77'))] == ["77"]


async def test_a_name_is_that_name_alone_and_a_pattern_all_that_it_may_be(connection: JobsRedis) -> None:
    for queue in ("mail", "email", "ma*l", "mall", "[ab]", "a"):
        revoked = await tasks.log.apply_async((queue,), queue=queue, countdown=60, task_id=f"revoked {queue}")
        await revoked.revoke()
        await tasks.log.apply_async((queue,), queue=queue, countdown=60, task_id=f"later {queue}")

    async def queues(**filters: Any) -> list[str]:
        rows = await all_of(connection, **filters)
        assert {row.id for row in rows} == {f"{word} {row.queue}" for word in ("revoked", "later") for row in rows}
        return sorted({row.queue for row in rows})

    assert await queues(queue="mail") == await queues(wanted=wanted("queue:mail")) == ["mail"]
    assert await queues(queue="ma*l") == ["ma*l"]
    assert await queues(wanted=wanted("queue:ma*l")) == ["ma*l", "mail", "mall"]
    assert await queues(wanted=wanted("queue:ma?l,a")) == ["a", "ma*l", "mail", "mall"]
    assert await queues(queue="[ab]") == await queues(wanted=wanted("queue:[ab]")) == ["[ab]"]
    assert await queues(task="tests.lo?") == await queues(wanted=wanted("task:tests.lo")) == []
