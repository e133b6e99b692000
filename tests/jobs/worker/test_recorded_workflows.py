"""What earlier releases have stored of their workflows is gone on with: tests/jobs/recorded/, one file for each."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from jobs import encoding
from jobs.client.connection import JobsRedis
from jobs.store.keys import Keys
from jobs.workflows.stored_tree import from_dict
from tests.jobs.recorded.replay import calls_of, outcome_of, replay
from tests.jobs.worker.conftest import StartWorker

RECORDED = sorted((Path(__file__).parents[1] / "recorded").glob("*.json"))


class Recording:
    """One file."""

    def __init__(self, path: Path) -> None:
        what: dict[str, Any] = json.loads(path.read_text())
        self.tree = b64decode(what["tree"])
        self.journal = {place: b64decode(entry) for place, entry in what["journal"].items()}
        self.calls: dict[str, str] = what["calls"]
        self.outcome: str = what["outcome"]


@pytest.fixture(params=RECORDED, ids=lambda path: path.stem)
def recording(request: pytest.FixtureRequest) -> Recording:
    return Recording(request.param)


def test_there_are_recordings_of_every_kind() -> None:
    assert {"group", "chain", "chord", "nested", "failed", "callbacks"} <= {path.stem for path in RECORDED}


async def test_the_same_calls_come_from_the_same_journal(recording: Recording) -> None:
    assert await calls_of(recording.tree, recording.journal) == recording.calls
    assert await outcome_of(recording.tree, recording.journal) == recording.outcome


async def test_a_journal_that_ends_anywhere_leads_to_no_other_call(recording: Recording) -> None:
    places = list(recording.journal)
    for length in range(len(places)):
        journal = {place: recording.journal[place] for place in places[:length]}
        calls, evaluation = await replay(recording.tree, journal)
        evaluation.cancel()
        await asyncio.gather(evaluation, return_exceptions=True)

        assert calls.items() <= recording.calls.items()


async def test_a_worker_ends_what_an_earlier_release_began(
    recording: Recording, connection: JobsRedis, start_worker: StartWorker
) -> None:
    """It knows none of the tasks: all that they gave stands in the journal."""
    result = await from_dict(encoding.loads(recording.tree)).delay()
    if recording.journal:
        await connection.hset(Keys.JOURNAL + result.id, mapping=recording.journal)  # type: ignore[misc]

    await start_worker(tasks=[], unknown_task_patience=0)

    assert repr(await result.get(timeout=10, propagate=False)) == recording.outcome
