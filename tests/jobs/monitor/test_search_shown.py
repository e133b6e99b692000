"""Whatever a row shows of a job, a query made of it finds: every word of its arguments, and each by its name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import task
from jobs.client.connection import JobsRedis
from jobs.client.job_info import JobRecord
from jobs.monitor import find
from jobs.monitor_site.model.masked_call import MaskedCall, masked_call_of
from jobs.monitor_site.query import Query, Term, parse
from jobs.store.keys import Keys
from jobs.tasks.declarations import KnownTask
from jobs.tasks.masking import secrets_of_task
from jobs.values.short_text import LONG_INT
from jobs.values.short_text import text as shown
from tests.jobs.example_values import hashables
from tests.registered_tasks import forget

NOW = datetime(2026, 12, 1, tzinfo=UTC)
PARAMETERS = ("first", "*rest")
AS_TEXT = (str, int, float, UUID, Decimal, date, time, bool, None.__class__)  # Also found as `str()` has it.
texts = st.text("aB \n'\"\\é早🌍\u200d{}[]=,:1", max_size=12)
keys = hashables.filter(lambda value: not isinstance(value, int) or value.bit_length() <= LONG_INT)
plain = keys | texts | st.integers(-(2**65), 2**65) | st.integers(-300, 300)
values = st.recursive(
    plain | st.sets(keys, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=5,
)


def is_found(query: Query, stored: bytes, call: MaskedCall) -> bool:
    """By the first look of find.lua, and by the second one."""
    wanted = query.wanted(NOW)
    first_look = msgpack.unpackb(wanted.first_look, raw=True)[b"texts"]
    row = JobRecord("id", "PENDING", "t", "default", "", None, None, None, None, None, 0, 0)
    passes = all(any(part in stored.lower() for part in parts) for parts in first_look)
    return passes and wanted.is_in(row, "", call, b"", PARAMETERS)


def leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, str(place)))


@given(st.lists(values, max_size=3), st.dictionaries(st.text(min_size=1, max_size=5), values, max_size=2))
def test_each_word_that_a_row_shows_of_arguments_finds_it(args: list[Any], kwargs: dict[str, Any]) -> None:
    offline = JobsRedis.at("redis://127.0.0.1:1")
    stored = offline.dumps({"f": "t", "a": tuple(args), "k": kwargs})
    call = masked_call_of(offline, {}, stored)
    assert call is not None

    for word in call.line.split():
        if not word.endswith("…"):
            assert is_found(Query((Term("", word),)), stored, call), word
    for path, value in leaves(call.named(PARAMETERS), ()):
        for written in {shown(value, 500), str(value) if isinstance(value, AS_TEXT) else "…"} if path else ():
            if not written.endswith("…"):
                assert is_found(Query((Term("", written, path),)), stored, call), (path, written)


@pytest.fixture
def charge() -> Iterator[Any]:
    @task(name="shown.charge")
    async def charge(customer_id: Any, *items: Any, password: str = "", options: Any = None) -> None:
        raise ValueError("card declined")

    yield charge
    forget("shown.charge")


async def ids(connection: JobsRedis, line: str) -> list[str]:
    wanted = parse(line).wanted(datetime.now(UTC))
    page = await find(connection, wanted)
    rows = page.rows
    while page.next:
        page = await find(connection, wanted, cursor=page.next)
        rows += page.rows
    return sorted(row.id for row in rows)


async def test_arguments_are_found_by_the_names_that_workers_declare(connection: JobsRedis, charge: Any) -> None:
    uuid = UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")
    calls: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "int": ((4711, "a", "b"), {}),
        "longer": ((47110,), {"options": {"customer_id": 4711, "city": "Berlin", "tags": ["new", "red"]}}),
        "uuid": ((uuid,), {"options": {"city": "BERLIN", "is_gift": True}}),
        "named": ((), {"customer_id": 4711.0, "options": [{"sku": "x-1"}, {"sku": "x-2"}]}),
        "text": (("ann@example.org",), {"password": "hunter2"}),
    }
    for name, (args, kwargs) in calls.items():
        await charge.apply_async(args, kwargs, countdown=3600, task_id=name)

    assert await ids(connection, "customer_id:4711") == ["named"], "nobody has declared names of places yet"
    told = KnownTask(secrets=secrets_of_task("shown.charge")).packed()
    await connection.hset(Keys.TASKS, "shown.charge", told)  # type: ignore[misc]

    for line, found in {
        "customer_id:4711": ["int", "named"], '"1":4711': ["int"], "items:b": ["int"], "items.0:b": [],
        "items.1:b": ["int"], f"customer_id:{uuid}": ["uuid"], "customer_id:ANN@example.org": ["text"],
        "customer_id:ann": [],
        "options.city:berlin": ["longer", "uuid"], "options.tags:red": ["longer"], "options.is_gift:true": ["uuid"],
        "options.sku:x-2": ["named"], "options.1.sku:x-2": ["named"], "options.0.sku:x-2": [],
        "password:hunter2": [], "hunter2": [], "city:Berlin": [], "options.customer_id:4711": ["longer"],
        "task:shown.* customer_id:4711": ["int", "named"], "task:shown.c?arge,x red": ["longer"], "task:SHOWN.*": [],
        "queue:def*": sorted(calls), "queue:mail": [], "worker:vm*": [], "error:*": [], "error:ab12": [],
        "state:scheduled": sorted(calls), "state:waiting": [], "attempts:0": sorted(calls), "attempts:>0": [],
        "waited:>1ms": [], "took:>1ms": [], "until:1m": [], "since:1m": sorted(calls), "text": ["text"],
    }.items():  # fmt: skip
        assert await ids(connection, line) == found, line
