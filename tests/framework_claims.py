"""What docs/frameworks.md says of its applications: copied next to them as a test, where frameworks are installed."""

from __future__ import annotations

import asyncio

import fastapi_app
import litestar_app
import pytest
import quart_app
import starlette_app
from fastapi import FastAPI
from quarq_jobs import NotConnected, connect
from starlette.testclient import TestClient
from tasks import REDIS_URL, greet

APPS = [module.app for module in (fastapi_app, starlette_app, litestar_app, quart_app)]


def greeting(client: TestClient) -> str:
    job = client.post("/greetings?name=Ann").json()["job"]
    return str(client.get(f"/greetings/{job}").json()["text"])


@pytest.mark.parametrize("app", APPS)
def test_its_lifespan_connects_and_closes(app) -> None:
    for _ in range(2):
        with TestClient(app) as client:
            assert greeting(client) == "Hello Ann"
    with pytest.raises(NotConnected):
        asyncio.run(greet.delay("Ann"))


@pytest.mark.parametrize("app", APPS)
def test_every_client_works_in_eager_mode_whether_a_lifespan_runs_or_not(app, jobs_eager) -> None:
    with TestClient(app) as client:
        assert greeting(client) == "Hello Ann"
    assert greeting(TestClient(app)) == "Hello Ann"


def test_without_its_lifespan_nothing_is_stored() -> None:
    with pytest.raises(NotConnected):
        TestClient(fastapi_app.app).post("/greetings?name=Ann")


def test_the_outer_lifespan_connects_for_an_application_that_is_mounted() -> None:
    connected, unconnected = FastAPI(lifespan=fastapi_app.lifespan), FastAPI()
    for outer in (connected, unconnected):
        outer.mount("/inner", fastapi_app.app)

    with TestClient(connected) as client:
        assert client.post("/inner/greetings?name=Ann").status_code == 200
    with TestClient(unconnected) as client, pytest.raises(NotConnected):
        client.post("/inner/greetings?name=Ann")


def test_of_two_connections_the_last_one_is_used() -> None:
    async def stored() -> tuple[int, int]:
        async with connect(f"{REDIS_URL}?db=1") as first, connect(f"{REDIS_URL}?db=2") as second:
            await greet.delay("Ann")
            return await first.zcard("arq:queue"), await second.zcard("arq:queue")

    assert asyncio.run(stored()) == (0, 1)


@pytest.mark.anyio
async def test_a_blocking_client_stops_the_worker_of_the_test(jobs_worker) -> None:
    app = FastAPI()

    @app.get("/")
    async def wait() -> str:
        return await (await greet.delay("Ann")).get(timeout=0.3)

    async with jobs_worker(tasks=[greet]):
        with TestClient(app) as client, pytest.raises(TimeoutError):
            client.get("/")
        with TestClient(app) as client:
            assert (await asyncio.to_thread(client.get, "/")).json() == "Hello Ann"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
