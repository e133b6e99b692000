"""A site that calls the shop's tasks, with a span for each request.

hypercorn examples.observability.web:app
"""

import logging
from collections.abc import AsyncIterator

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, generate_latest
from quart import Quart, request

from examples.observability import telemetry
from examples.observability.shop import MIDDLEWARE, REDIS_URL, order, tenant
from jobs import JsonLines, connect

log = logging.getLogger("shop")
orders = Counter("shop_orders", "Orders that were taken.", ["tenant"])
app = Quart(__name__)


@app.while_serving
async def connected() -> AsyncIterator[None]:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level="INFO", handlers=[handler], force=True)
    telemetry.set_up("shop-web")
    async with connect(REDIS_URL, middleware=MIDDLEWARE):
        yield


@app.post("/orders")
async def take_order() -> tuple[dict[str, str], int]:
    """`["tea", "cake"]`, with the name of the tenant in the header Tenant."""
    tenant.set("umbrella" if request.headers.get("Tenant") == "umbrella" else "acme")
    items = [str(item) for item in await request.get_json()]
    caller = propagate.extract(dict(request.headers))
    with trace.get_tracer("shop").start_as_current_span("POST /orders", context=caller, kind=SpanKind.SERVER):
        result = await order.delay(items)
        log.info("order taken", extra={"tenant": tenant.get(), "order": result.id})
    orders.labels(tenant.get()).inc()
    return {"order": result.id}, 202


@app.get("/metrics")
async def metrics() -> tuple[bytes, dict[str, str]]:
    return generate_latest(), {"Content-Type": "text/plain; version=0.0.4"}
