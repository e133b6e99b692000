"""A digest to 10,000 readers: mails a second beside a connection for each mail, and how long other jobs wait meanwhile.

The mail server is a process of its own that wants STARTTLS and a login, as those on the internet do.
"""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from quart import Quart
from sqlalchemy import func, select

from app import create_app
from app.blog import Post
from app.context import close, task_context
from app.digest import choosing, issues, mails, steering
from app.digest.models import Delivery, Digest, State, Step
from app.digest.tasks import start
from app.mail import compose
from app.playground.tasks import multiply
from app.subscribers import links
from app.subscribers import models as subscribers
from app.subscribers.models import Subscriber
from jobs import connect
from tests.bench.rig import Rig
from tests.bench.subjects import ROOT, SITE, Subject
from tests.bench.table import Figures, Target, at_least, at_most, percentile, times
from tests.site import Site, site
from tests.waiting import wait_until

RECIPE = Subject("recipe's way", "site", ())  # a connection for each mail, one after the other
SUBJECTS = (SITE, RECIPE)
READERS = int(os.environ.get("BENCH_READERS", "10000"))
BY_RECIPE = 300  # mails are enough to know its pace
POSTS = 5
CALLS, TURNS, APART_S = 400, 8, 0.02  # of other people's jobs, for each figure

PACE = "digest: mails per second"
ALONE = "other jobs: call to result without a digest, p99 ms"
BESIDE = "other jobs: call to result during a digest at DIGEST_RATE's default, p99 ms"
RATIO = "other jobs: the second through the first"
SENT = "digest: readers who got it once"

TARGETS = (
    Target(PACE, ">= 5x the recipe's way", times(SITE, 5, RECIPE.name)),
    Target(SENT, "all", at_least(SITE, READERS)),
    Target(RATIO, "<= 1.5", at_most(SITE, 1.5)),
)


def measure(rig: Rig, subject: Subject) -> Figures:
    rig.fresh()
    return asyncio.run(_measure(rig, subject))


async def _measure(rig: Rig, subject: Subject) -> Figures:
    with sink() as (port, certificate):
        os.environ["SSL_CERT_FILE"] = str(certificate)
        server = {
            "smtp_server": "localhost",
            "smtp_port": port,
            "smtp_tls": "starttls",
            "smtp_user": "quarq",
            "smtp_password": "secret",
        }
        if subject is RECIPE:
            async with site(rig.url, **server) as here:
                return {PACE: await by_recipe(here)}
        async with site(rig.url, digest_rate=10_000, **server) as here:
            figures = await by_digest(rig, here)
        rig.fresh()
        async with site(rig.url, **server) as here:
            return figures | await beside_others(rig, here)


async def by_digest(rig: Rig, here: Site) -> Figures:
    """From the start of its job to the last record, by one worker."""
    async with running(here, READERS) as (_, pk):
        with here.process("arq", "worker.WorkerSettings"):
            await wait_until(lambda: rig.redis.zcard("jobs:workers"), "the worker", timeout_s=60)
            async with connect(rig.url):
                began = time.perf_counter()
                await start(pk)

                async def done() -> bool:
                    async with here.database.session() as db:
                        return (await db.get_one(Digest, pk)).state == State.DONE

                await wait_until(done, "the digest to be done", timeout_s=600)
                took = time.perf_counter() - began
        return {PACE: READERS / took, SENT: float(await sent(here))}


async def beside_others(rig: Rig, here: Site) -> Figures:
    """Calls of another task on the same worker, while a digest is sent and while it is paused, in turns."""
    alone: list[float] = []
    beside: list[float] = []
    async with running(here, 2_000) as (_, pk):
        with here.process("arq", "worker.WorkerSettings"):
            await wait_until(lambda: rig.redis.zcard("jobs:workers"), "the worker", timeout_s=60)
            async with connect(rig.url):
                await waits(20)
                for _ in range(TURNS):
                    await steer(here, pk, steering.pause)
                    alone += await waits(CALLS // TURNS)
                    already = await sent(here)
                    await steer(here, pk, steering.resume)
                    await wait_until(lambda: more_than(here, already), "further mails", timeout_s=60)  # noqa: B023
                    beside += await waits(CALLS // TURNS)
    first, second = percentile(alone, 0.99), percentile(beside, 0.99)
    return {ALONE: first, BESIDE: second, RATIO: second / first}


async def steer(here: Site, pk: int, action: steering.Action) -> None:
    async with here.database.transaction() as db:
        await action(db, await db.get_one(Digest, pk))
    await start(pk)


async def sent(here: Site) -> int:
    async with here.database.session() as db:
        return await db.scalar(select(func.count()).where(Delivery.step == Step.SENT)) or 0


async def more_than(here: Site, count: int) -> bool:
    return await sent(here) > count


async def waits(calls: int) -> list[float]:
    """From each call to its result, in ms."""
    taken = []
    for number in range(calls):
        began = time.perf_counter()
        result = await multiply.delay(number, 2)
        await result.get(timeout=30)
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(APART_S)
    return taken


async def by_recipe(here: Site) -> float:
    """What the recipe's task does for each reader: render, compose, connect, sign in, send, leave."""
    async with running(here, BY_RECIPE) as (_, pk):
        async with here.database.session() as db:
            issue = await issues.of(db, await db.get_one(Digest, pk))
            readers = (await db.scalars(select(Subscriber))).all()
        server = here.settings
        began = time.perf_counter()
        for reader in readers:
            written = await mails.write(issue)
            link = links.unsubscribe_url(reader, server)
            message = compose(
                sender=server.smtp_from,
                to=reader.email,
                subject=written.subject,
                text=written.text.replace(written.link, link),
                html=written.html.replace(written.link, link),
                headers=links.list_headers(reader, server),
            )
            with smtplib.SMTP(server.smtp_server, server.smtp_port, "localhost") as connection:
                connection.starttls(context=ssl.create_default_context())
                connection.login(server.smtp_user, server.smtp_password)
                connection.send_message(message)
        return len(readers) / (time.perf_counter() - began)


@asynccontextmanager
async def running(here: Site, readers: int) -> AsyncIterator[tuple[Quart, int]]:
    """The site's app, as tasks see it, and a digest for so many readers."""
    async with here.database.session() as db:
        now = datetime.now(UTC)
        db.add_all(Post(title=f"Post {n} 字", text="word 字 " * 300, published_at=now) for n in range(POSTS))
        confirmed = subscribers.State.CONFIRMED
        db.add_all(Subscriber(email=f"reader{n}@example.org", state=confirmed) for n in range(readers))
        await db.commit()
    app = create_app(here.settings)
    try:
        async with task_context(app)(None):
            pk = await choosing.begin("bench")
            assert pk is not None
            yield app, pk
    finally:
        await close(app)


@contextmanager
def sink() -> Iterator[tuple[int, Path]]:
    """The mail server's port, and the certificate that its clients have to trust."""
    with tempfile.TemporaryDirectory(prefix="quarq-sink-") as folder:
        file = Path(folder) / "localhost.pem"
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        command += f" -addext subjectAltName=DNS:localhost -keyout {file}.key -out {file}.crt"
        subprocess.run(command.split(), check=True, capture_output=True)
        file.write_text(Path(f"{file}.key").read_text() + Path(f"{file}.crt").read_text())
        with subprocess.Popen(
            [sys.executable, "-m", "tests.bench.sink", str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                yield int(process.stdout.readline()), file
            finally:
                process.kill()
