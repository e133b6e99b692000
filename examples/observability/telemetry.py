"""What a process reports of itself: Sentry, traces, and a trace id on each log line."""

import logging
import os
from typing import Any

import sentry_sdk
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def set_up(service: str) -> None:
    """Call it once in each process, before it makes or runs calls. Settings are the standard variables of each SDK."""
    sentry_sdk.init()  # reads SENTRY_DSN; off without
    os.environ.setdefault("OTEL_SERVICE_NAME", service)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_exporter()))
    trace.set_tracer_provider(provider)
    _note_trace_ids()


def _exporter() -> SpanExporter:
    """To a collector if the environment names one; else a line for each span on stdout."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return ConsoleSpanExporter(formatter=_line)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _line(span: ReadableSpan) -> str:
    return span.to_json(indent=None) + "\n"


def _note_trace_ids() -> None:
    """Lines that are written inside a span have its `trace_id`, so that one leads to the other."""
    make = logging.getLogRecordFactory()

    def record(*args: Any, **more: Any) -> logging.LogRecord:
        made, span = make(*args, **more), trace.get_current_span().get_span_context()
        if span.is_valid:
            made.trace_id = f"{span.trace_id:032x}"
        return made

    logging.setLogRecordFactory(record)
