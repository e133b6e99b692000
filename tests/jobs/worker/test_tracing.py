"""OpenTelemetry: one trace from the request over all attempts and members to the callbacks, also after a crash."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from arq.worker import Retry as ArqRetry
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jobs import MaxRetriesExceeded, connect, current_job, task
from jobs.testing import eager
from tests.jobs.worker import tasks
from tests.jobs.worker.conftest import ROOT, StartProcess

Spans = list[dict[str, Any]]


@pytest.fixture
async def observed(redis_url: str, start_process: StartProcess, tmp_path: Path) -> tuple[Spans, list[dict[str, Any]]]:
    """The spans of the worker that was killed and of the program that took over, and the metrics of that."""
    lines, killed = tmp_path / "spans", tmp_path / "killed"
    lines.touch()
    worker = await start_process(settings="tests.jobs.worker.traced.WorkerSettings", DIES="1", SPANS=str(lines))
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.jobs.worker.traced", str(killed)],
        cwd=ROOT,
        env={"REDIS_URL": redis_url, "PATH": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    await worker.wait_until_ended(20)
    killed.touch()
    output, _ = await asyncio.to_thread(program.communicate)
    spans, metrics = map(json.loads, output.splitlines()[-2:])
    return [*map(json.loads, lines.read_text().splitlines()), *spans], metrics


async def test_a_workflow_is_one_trace(observed: tuple[Spans, list[dict[str, Any]]]) -> None:
    spans, metrics = observed
    by_id = {span["id"]: span for span in spans}
    named = {name: [span for span in spans if span["name"] == name] for name in {span["name"] for span in spans}}

    def parents(name: str) -> set[str]:
        return {by_id[span["parent"]]["name"] if span["parent"] in by_id else "?" for span in named[name]}

    [request], [sent] = named["POST /orders"], named["send jobs.workflow"]
    assert {span["trace"] for span in spans} == {request["trace"]}
    assert (request["parent"], sent["parent"], sent["kind"]) == (None, request["id"], "PRODUCER")

    evaluations = named["process jobs.workflow"]
    assert {span["parent"] for span in evaluations} == {sent["id"]}
    assert {span["messaging.message.id"] for span in evaluations} == {sent["messaging.message.id"]}
    assert [span["jobs.outcome"] for span in evaluations][-1] == "success"

    # the evaluation that called the members was killed, and has no span: they name it all the same
    members = ["process traced.double", "process traced.flaky", "process traced.deadly"]
    first = {span["parent"] for name in members for span in named[name] if span["messaging.message.id"].count(":")}
    assert len(first - by_id.keys()) == 1 >= len(first & by_id.keys())

    assert parents("process traced.total") == {"process jobs.workflow"}
    assert parents("process traced.failing") == {"process jobs.workflow"}
    assert parents("process traced.note") == {"process traced.failing"}
    assert parents("send traced.double") == {"process traced.failing"}
    assert "send traced.double" in parents("process traced.double")
    assert parents("own work") == {"process traced.double"}
    assert parents("in a thread") == {"process traced.total"}

    outcomes = {name: Counter(span["jobs.outcome"] for span in named[name]) for name in members}
    assert set(outcomes["process traced.flaky"]) == {"retry", "success"}
    assert outcomes["process traced.deadly"] == {"success": 1}
    [deadly] = named["process traced.deadly"]
    assert deadly["jobs.attempt"] == 2
    [failing] = named["process traced.failing"]
    assert (failing["status"], failing["error.type"], failing["events"]) == ("ERROR", "LookupError", ["exception"])
    assert all(span["kind"] == "CONSUMER" for name in named if name.startswith("process") for span in named[name])
    assert {metric["name"] for metric in metrics} == {"messaging.client.sent.messages", "messaging.process.duration"}


async def test_without_a_provider_there_is_nothing(redis_url: str) -> None:
    """The package is installed, and this process has not set it up: it is not even imported."""
    code = (
        "import asyncio, sys, jobs, jobs.worker\n"
        f"from {tasks.__name__} import multiply\n"
        "async def main():\n"
        "    async with jobs.connect(sys.argv[1]):\n"
        "        await multiply.delay(2, 3)\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if 'opentelemetry' in name or 'contrib.otel' in name])\n"
    )
    environ = {"PATH": "", "REDIS_URL": redis_url}
    ran = subprocess.run([sys.executable, "-c", code, redis_url], cwd=ROOT, env=environ, capture_output=True, text=True)

    assert ran.stdout.strip() == "[]", ran.stderr


async def test_the_api_alone_adds_no_header(redis_url: str) -> None:
    """Some other library has imported the API; there is no provider."""
    import opentelemetry.trace  # noqa: F401

    async with connect(redis_url) as connection:
        result = await tasks.multiply.delay(2, 3)
        payload = connection.loads(await connection.get(f"arq:job:{result.id}"))

    assert "h" not in payload


async def test_a_call_without_middleware_runs_no_more_than_that(redis_url: str) -> None:
    """Of the modules for middleware: it looks whether there is any."""
    ran: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and Path(frame.f_code.co_filename).name in ("middleware.py", "sending.py", "otel.py"):
            ran.append(frame.f_code.co_name)

    async with connect(redis_url):
        await tasks.multiply.delay(2, 3)
        sys.setprofile(note)
        await tasks.multiply.delay(2, 3)
        sys.setprofile(None)

    assert ran == ["with_automatic", "middleware"]  # the second as this module has imported the API


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What this process has traced since the test began."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@task(name="tracing.silent", autoretry_for=(Silent,), max_retries=2, default_retry_delay=0)
async def silent() -> None:
    raise Silent


@task(name="tracing.as_in_arq", max_retries=1)
async def as_in_arq() -> None:
    raise ArqRetry


@task(name="tracing.look")
async def look() -> dict[str, str]:
    return dict(current_job().request.headers)


async def test_an_exception_without_a_text_is_retried_as_ever(spans: InMemorySpanExporter, redis_url: str) -> None:
    with eager(), pytest.raises(Silent):
        await (await silent.delay()).get()

    outcomes = [(span.attributes or {}).get("jobs.outcome") for span in spans.get_finished_spans()]
    assert outcomes == ["retry", "retry", "failure", None]


async def test_a_retry_that_is_asked_for_in_arqs_way_is_one_too(spans: InMemorySpanExporter, redis_url: str) -> None:
    with eager(), pytest.raises(MaxRetriesExceeded):
        await (await as_in_arq.delay()).get()

    outcomes = [(span.attributes or {}).get("jobs.outcome") for span in spans.get_finished_spans()]
    assert outcomes == ["retry", "failure", None]


async def test_a_call_whose_headers_leave_no_room_begins_a_trace_of_its_own(spans: InMemorySpanExporter) -> None:
    full = {"a": "x" * 8_150}
    with eager():
        assert await (await look.apply_async(headers=full)).get() == full
        assert "traceparent" in await (await look.apply_async(headers={"a": "x"})).get()


class Broken(TraceContextTextMapPropagator):
    def inject(self, *args: Any, **options: Any) -> None:
        raise RuntimeError("broken")

    extract = inject  # type: ignore[assignment]


async def test_a_propagator_that_fails_harms_no_call(
    spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(Broken())
    try:
        with eager():
            assert await (await look.delay()).get() == {}
    finally:
        propagate.set_global_textmap(before)

    assert [span.name for span in spans.get_finished_spans()] == ["process tracing.look", "send tracing.look"]
    assert "the trace is cut here" in caplog.text
