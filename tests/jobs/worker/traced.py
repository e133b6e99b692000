"""An application with OpenTelemetry's SDK. Its worker dies where DIES is set; run as a program, it is a website that
calls a workflow and a worker which takes over, and it prints the spans that it has seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from arq.worker import create_worker
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from quart import Quart

from jobs import CurrentJob, Result, connect, group, task, worker_settings
from tests.waiting import wait_until

SERVER = trace.SpanKind.SERVER


def shown(span: ReadableSpan) -> dict[str, object]:
    assert span.context is not None
    return {
        "name": span.name,
        "kind": span.kind.name,
        "trace": span.context.trace_id,
        "id": span.context.span_id,
        "parent": span.parent.span_id if span.parent else None,
        "status": span.status.status_code.name,
        "events": [event.name for event in span.events],
        **dict(span.attributes or {}),
    }


class Lines(SpanExporter):
    """A line for each span, in a file."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with Path(os.environ["SPANS"]).open("a") as file:
            file.writelines(json.dumps(shown(span)) + "\n" for span in spans)
        return SpanExportResult.SUCCESS


@task(name="traced.double")
async def double(n: int) -> int:
    with trace.get_tracer("application").start_as_current_span("own work"):
        return 2 * n


@task(name="traced.flaky", bind=True, default_retry_delay=0)
async def flaky(self: CurrentJob, n: int) -> int:
    if self.request.retries < 1:
        raise self.retry(exc=OSError("not yet"))
    return n


@task(name="traced.deadly")
async def deadly(n: int) -> int:
    if "DIES" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


@task(name="traced.total")
def total(numbers: list[int]) -> int:
    """A plain def: its own span is a child of its attempt's in the thread, too."""
    with trace.get_tracer("application").start_as_current_span("in a thread"):
        return sum(numbers)


@task(name="traced.failing")
async def failing(n: int) -> None:
    await double.delay(n)
    raise LookupError("as ever")


@task(name="traced.note")
async def note(*args: object) -> None: ...


ALL = [double, flaky, deadly, total, failing, note]
exporter = InMemorySpanExporter()
reader = InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Lines() if "DIES" in os.environ else exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
WorkerSettings = worker_settings(
    redis_url=os.environ["REDIS_URL"], tasks=ALL, lease=1, lease_renewal=0.3, handle_signals="DIES" in os.environ
)
site = Quart(__name__)


@site.post("/orders")
async def order() -> dict[str, str]:
    with trace.get_tracer("application").start_as_current_span("POST /orders", kind=SERVER):
        work = group(double.s(1), flaky.s(2), deadly.s(3)) | total.s()
        result = await work.apply_async(link=failing.s().set(link_error=note.s()))
        return {"id": result.id}


async def main() -> None:
    """Call, wait for the deadly worker to be killed, take over, and print every span."""
    killed = Path(sys.argv[1])
    async with connect(os.environ["REDIS_URL"]):
        answer = await (await site.test_client().post("/orders")).get_json()
        await wait_until(killed.exists, "the first worker to die", timeout_s=20)
        worker = create_worker(WorkerSettings)
        worker.main_task = asyncio.create_task(worker.main())
        assert await Result(answer["id"]).get(timeout=20) == 7
        await wait_until(
            lambda: any(s.name == "process traced.note" for s in exporter.get_finished_spans()), "callbacks"
        )
        await worker.close()
    print(json.dumps([shown(span) for span in exporter.get_finished_spans()]))
    data = json.loads(reader.get_metrics_data().to_json())  # type: ignore[union-attr]
    print(json.dumps([m for r in data["resource_metrics"] for s in r["scope_metrics"] for m in s["metrics"]]))


if __name__ == "__main__":
    asyncio.run(main())
