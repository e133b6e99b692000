"""Workflows, read from top to bottom: the tutorial. Everything here runs in this process, with no Redis.

`await multiply.s(4, 4)()` calls a signature here; `await multiply.s(4, 4).delay()` sends it to a worker.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs import Signature, chain, chord, group, signature, task
from jobs.errors import EncodingError, NotConnected, UnknownTask
from jobs.workflows import canvas
from jobs.workflows.canvas import evaluate
from jobs.workflows.stored_tree import from_dict

logged: list[Any] = []


@task(name="canvas.multiply")
async def multiply(x: int, y: int) -> int:
    return x * y


@task(name="canvas.log")
async def log(message: Any) -> Any:
    logged.append(message)
    return message


@task(name="canvas.fail")
async def fail(*args: Any) -> None:
    raise ValueError("no luck")


@task(name="canvas.report")
async def report(request: Any, error: Exception, traceback: str) -> None:
    logged.append((error, traceback))


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    logged.clear()


# One call


async def test_a_signature_is_a_call_not_yet_made():
    four_fours = multiply.s(4, 4)

    assert repr(four_fours) == "canvas.multiply(4, 4)"
    assert await four_fours() == 16


async def test_a_signature_can_be_made_from_the_name_alone():
    assert signature("canvas.multiply", args=(4, 4), countdown=10) == multiply.s(4, 4).set(countdown=10)
    assert await signature("canvas.multiply", (4,), {"y": 5})() == 20


async def test_a_partial_gets_the_rest_of_its_arguments_later():
    assert await multiply.s(4)(4) == 16


async def test_new_arguments_go_first():
    assert repr(multiply.s(2).clone((1,))) == "canvas.multiply(1, 2)"
    assert repr(log.s(y=2, z=2).clone((), {"z": 3})) == "canvas.log(y=2, z=3)"


async def test_an_immutable_signature_takes_no_further_arguments():
    assert await log.si("Message")(16) == "Message"
    assert log.si("Message") == log.s("Message").set(immutable=True)


async def test_a_signature_is_a_value_that_never_changes():
    partial = multiply.s(4)

    partial.clone((5,)).set(queue="mail")

    assert partial == multiply.s(4)
    with pytest.raises(AttributeError):
        partial.args = (5,)


async def test_a_callback_is_called_with_the_result_which_stays_the_result():
    assert await multiply.s(4, 4).set(link=multiply.s(4) | log.s())() == 16

    assert logged == [64]


async def test_a_callback_that_takes_no_result():
    await multiply.s(4, 4).set(link=log.si("Message"))()

    assert logged == ["Message"]


async def test_an_unknown_task_is_named():
    with pytest.raises(UnknownTask, match=r"no task named 'canvas\.multipli'.* did you mean 'canvas\.multiply'"):
        await signature("canvas.multipli", (4, 4))()


# Group: all at once


async def test_a_group_returns_a_list_in_the_order_given():
    assert await group(multiply.s(i, i + 5) for i in range(10))() == [0, 6, 14, 24, 36, 50, 66, 84, 104, 126]


async def test_the_members_of_a_group_run_side_by_side():
    """Each waits until both have begun: one after the other, they would wait for ever."""
    both = asyncio.Barrier(2)

    @task(name="canvas.meet")
    async def meet() -> int:
        return await both.wait()

    assert sorted(await group(meet.s(), meet.s())()) == [0, 1]


async def test_arguments_given_to_a_group_go_to_each_member():
    assert await group(multiply.s(2), multiply.s(3))(10) == [20, 30]


async def test_a_group_of_one_is_a_list_of_one_and_an_empty_group_an_empty_list():
    assert await group(multiply.s(4, 4))() == [16]
    assert await group([])() == []


async def test_the_list_of_a_group_directly_in_a_group_is_part_of_its_list():
    assert await group(log.s(1), group(log.s(2), group(log.s(3), log.s(4))))() == [1, 2, 3, 4]


async def test_a_group_in_a_group_keeps_its_own_options():
    careful = group(fail.s(), log.s(), return_exceptions=True).clone((2,))

    [one, error, two] = await group(log.s(1), careful)()

    assert (one, str(error), two) == (1, "no luck", 2)


async def test_a_failed_group_ends_when_every_member_has_ended():
    with pytest.raises(ValueError, match="no luck"):
        await group(fail.s(), log.s("late"))()

    assert logged == ["late"]


async def test_errors_can_stand_in_the_list_instead():
    [error, message] = await group(fail.s(), log.s("fine"), return_exceptions=True)()

    assert isinstance(error, ValueError)
    assert message == "fine"


async def test_a_group_can_be_told_how_many_members_may_be_under_way():
    under_way: set[int] = set()
    most = 0

    @task(name="canvas.crowd")
    async def crowd(i: int) -> int:
        nonlocal most
        under_way.add(i)
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        under_way.remove(i)
        return i

    assert await group((crowd.s(i) for i in range(20)), max_concurrency=3)() == list(range(20))
    assert most == 3


# Chain: one after the other


async def test_each_step_of_a_chain_gets_the_result_of_the_one_before():
    assert await chain(multiply.s(10, 10), multiply.s(4), multiply.s(20))() == 8000
    assert await (multiply.s(10, 10) | multiply.s(4) | multiply.s(20))() == 8000


async def test_a_partial_chain_hands_its_arguments_to_the_first_step():
    assert await (multiply.s(10) | multiply.s(2))(16) == 320


async def test_chains_in_a_chain_are_one_chain():
    nested = multiply.s(10) | multiply.s(2) | (multiply.s(4) | multiply.s(5))

    assert repr(nested) == "canvas.multiply(10) | canvas.multiply(2) | canvas.multiply(4) | canvas.multiply(5)"
    assert await nested(16) == 6400


async def test_arguments_given_to_a_part_stay_with_that_part():
    assert await ((log.s() | multiply.s(3)).clone((4,)) | multiply.s(2))() == 24
    assert await group(log.s(1), group(multiply.s(2), multiply.s(3)).clone((10,)))() == [1, 20, 30]


async def test_a_chain_in_a_chain_keeps_its_own_callbacks():
    assert await ((log.s(1) | log.s()).set(link=log.si("halfway")) | log.si("end"))() == "end"

    assert logged == [1, 1, "halfway", "end"]


async def test_a_whole_chain_can_be_immutable():
    assert await (log.s(1) | (log.s(2) | log.s()).set(immutable=True))() == 2


async def test_a_failed_step_ends_its_chain():
    with pytest.raises(ValueError, match="no luck"):
        await (multiply.s(1, 1) | fail.s() | log.s())()

    assert logged == []


async def test_a_group_in_a_chain_hands_on_its_list():
    double_and_triple = chain(multiply.s(4, 4), group(multiply.s(2), multiply.s(3)), log.s())

    assert await double_and_triple() == [32, 48]


# Chord: a group and then a body


async def test_a_chord_calls_its_body_with_the_list():
    assert await chord(group(multiply.s(i, i) for i in range(4)), log.s())() == [0, 1, 4, 9]
    assert logged == [[0, 1, 4, 9]]


async def test_a_group_and_a_task_make_a_chord():
    header = group(multiply.s(i, i) for i in range(4))

    assert (header | log.s()) == chord(header, log.s())


async def test_the_body_can_be_given_later():
    assert await chord(multiply.s(i, i) for i in range(4))(log.s()) == [0, 1, 4, 9]
    with pytest.raises(ValueError, match="a chord without a body"):
        await chord([multiply.s(1, 1)])()


async def test_the_body_is_not_called_if_a_member_failed():
    with pytest.raises(ValueError, match="no luck"):
        await chord([multiply.s(1, 1), fail.s()], log.s())()

    assert logged == []


async def test_anything_can_stand_in_anything():
    inner = group(multiply.s(2), multiply.s(3) | multiply.s(10)) | log.s()
    outer = chain(multiply.s(1, 1), group(inner, inner), group(log.s(), log.si("done")))

    assert await outer() == [[[2, 30], [2, 30]], "done"]


# Options and callbacks of whole workflows


async def test_a_workflow_calls_back_with_its_result():
    workflow = group(multiply.s(1, 1), multiply.s(2, 2)).set(link=[log.s(), log.si("told")])

    assert await workflow() == [1, 4]
    assert logged == [[1, 4], "told"]


async def test_an_error_callback_is_called_once_with_the_request_the_error_and_its_traceback():
    workflow = chain(group(fail.s(), fail.s()), log.s()).on_error(report.s())

    with pytest.raises(ValueError, match="no luck"):
        await workflow()

    [(error, traceback)] = logged
    assert str(error) == "no luck"
    assert "ValueError: no luck" in traceback


async def test_a_failed_callback_does_not_change_the_result(caplog):
    assert await multiply.s(4, 4).set(link=fail.s())() == 16

    assert "a callback (link) of canvas.multiply(4, 4) failed: ValueError('no luck')" in caplog.text
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]


async def test_options_of_a_workflow_go_where_its_arguments_go():
    seen = {}

    async def remember(call: Signature, path: tuple[int, ...]) -> None:
        seen[path] = call.options

    tree = group(chain(log.s(), log.s()), log.s(), queue="mail", link=log.s())
    await evaluate(tree, (1,), call=remember)

    assert seen == {(0, 0): {"queue": "mail"}, (0, 1): {}, (1,): {"queue": "mail"}, (-1, 0): {}}


# Map, starmap, chunks


async def test_map_calls_for_each_item_in_one_job():
    assert await multiply.s(10).map([1, 2, 3])() == [10, 20, 30]


async def test_starmap_takes_all_arguments_from_the_item():
    assert await multiply.starmap([(1, 2), (3, 4)])() == [2, 12]


async def test_chunks_share_the_items_out_among_jobs():
    pairs = zip(range(5), range(5), strict=True)

    assert await multiply.chunks(pairs, 2)() == [[0, 1], [4, 9], [16]]


async def test_maps_and_chunks_stand_in_workflows_like_any_call():
    squares = multiply.chunks([(i, i) for i in range(3)], 2) | log.s()

    assert await chain(log.si([1, 2]), multiply.s(10).map([1, 2]), log.s())() == [10, 20]
    assert await group(squares, log.s("beside"))() == [[[0, 1], [4]], "beside"]


# On their own

ALONE = """
import asyncio, sys, types

sys.modules |= {"arq": None, "redis": None}  # importing one of them raises
jobs = types.ModuleType("jobs")  # without its __init__.py, which offers more than workflows
jobs.__path__ = [sys.argv[1]]
sys.modules["jobs"] = jobs
from jobs.tasks import registry
from jobs.workflows.canvas import Signature, chain, chord, group


class Task:
    def __init__(self, name, function):
        self.name, self.function = name, function

    async def __call__(self, *args):
        return self.function(*args)

    def s(self, *args):
        return Signature(self.name, args)


multiply = registry.register(Task("multiply", lambda x, y: x * y))
log = registry.register(Task("log", lambda message: message))
header = group(multiply.s(i, i + 5) for i in range(10))


async def rows_19_to_23():
    print(await header())
    print(await chain(multiply.s(10, 10), multiply.s(4), multiply.s(20))())
    print(await (multiply.s(10) | multiply.s(2))(16))
    print(await (multiply.s(10) | multiply.s(2) | (multiply.s(4) | multiply.s(5)))(16))
    print(await chord(header, log.s())())


asyncio.run(rows_19_to_23())
"""


def test_workflows_run_where_neither_arq_nor_redis_can_be_imported():
    numbers = "[0, 6, 14, 24, 36, 50, 66, 84, 104, 126]"

    ran = subprocess.run(
        [sys.executable, "-c", ALONE, str(Path(canvas.__file__).parents[1])], capture_output=True, text=True
    )

    assert ran.stdout == f"{numbers}\n8000\n320\n6400\n{numbers}\n", ran.stderr


# Sent and stored


async def test_a_call_without_a_connection_says_what_to_do():
    with pytest.raises(NotConnected, match="async with connect"):
        await multiply.s(4, 4).delay()


async def test_a_tree_comes_back_from_json_as_it_was():
    tree = (group(multiply.s(1, y=2), log.si("x")) | chain(log.s(), group(log.s(), queue="mail"))).set(
        link=log.s() | log.s(), link_error=report.s(), countdown=10
    )

    assert from_dict(json.loads(json.dumps(tree.to_dict()))) == tree


async def test_a_tree_of_a_later_version_is_refused():
    with pytest.raises(EncodingError, match="a workflow of format 2: this version reads only 1"):
        from_dict({**multiply.s().to_dict(), "format": 2})


@pytest.mark.parametrize("body", [log, print, "log", 5, [log.s()], {"task": "log"}], ids=repr)
async def test_the_body_of_a_chord_is_one_signature(body: Any) -> None:
    with pytest.raises(TypeError, match="is not a signature"):
        chord([multiply.s(4, 4)], body)


async def test_a_task_that_is_not_called_is_no_part_of_a_workflow():
    with pytest.raises(TypeError, match="is not a signature"):
        group(multiply, log)
