"""A site with posts, subscribers and a mail server, whose digests are led through their rounds without Redis."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from quart import Quart
from sqlalchemy import func, select, update

from app import create_app
from app.blog import Post
from app.context import close, task_context
from app.database import Database
from app.digest import choosing, rounds
from app.digest.batch import send_batch
from app.digest.models import Delivery, Digest
from app.mail import Mailer, MailServer
from app.subscribers.models import State, Subscriber
from settings import Settings
from tests.smtp_server import SmtpServer, smtp_server


class DigestSite:
    """The application's database and mail server, without pages, Redis or a worker."""

    def __init__(self, app: Quart, smtp: SmtpServer) -> None:
        self.app, self.smtp = app, smtp
        self.database: Database = app.extensions["database"]
        self.use_mailer()

    def use_mailer(self, pause_s: float = 0, data_s: float = 1) -> None:
        """One that waits so long for the answer to a text."""
        server = MailServer("127.0.0.1", self.smtp.port, tls="none", connect_s=5, command_s=5, data_s=data_s)
        self.app.extensions["mailer"] = Mailer(server, sender="Quarq <quarq@example.org>", pause_s=pause_s)

    async def publish(self, *titles: str, text: str = "Words", ago: timedelta = timedelta()) -> list[Post]:
        """Posts of these titles, each a minute older than the one before."""
        now = datetime.now(UTC) - ago
        posts = [
            Post(title=title, text=text, published_at=now - timedelta(minutes=age)) for age, title in enumerate(titles)
        ]
        await self.add(*posts)
        return posts

    async def subscribe(self, count: int = 1, state: State = State.CONFIRMED) -> list[Subscriber]:
        """So many, with addresses that name their place: reader0@example.org, ..."""
        async with self.database.session() as db:
            place = await db.scalar(select(func.count()).select_from(Subscriber)) or 0
        found = [Subscriber(email=f"reader{place + n}@example.org", state=state) for n in range(count)]
        await self.add(*found)
        return found

    async def add(self, *rows: Any) -> None:
        async with self.database.session() as db:
            db.add_all(rows)
            await db.commit()

    async def change(self, model: Any, *which: Any, **values: Any) -> None:
        async with self.database.session() as db:
            await db.execute(update(model).where(*which).values(**values))
            await db.commit()

    async def begin(self, run: str = "a run") -> int:
        pk = await choosing.begin(run)
        assert pk is not None
        return pk

    async def round(self, pk: int) -> timedelta | None:
        """Everything that can be sent now, two batches at a time."""
        this = await rounds.next_round(pk)
        for place in range(0, len(this.batches), 2):
            await asyncio.gather(*(send_batch(pk, *ids) for ids in this.batches[place : place + 2]))
        return await rounds.end_round(pk)

    async def digest(self, pk: int) -> Digest:
        async with self.database.session() as db:
            return await db.get_one(Digest, pk)

    async def steps(self, pk: int) -> Counter[str]:
        async with self.database.session() as db:
            return Counter(await db.scalars(select(Delivery.step).where(Delivery.digest_id == pk)))

    async def deliveries(self, pk: int) -> list[Delivery]:
        async with self.database.session() as db:
            rows = await db.scalars(select(Delivery).where(Delivery.digest_id == pk).order_by(Delivery.id))
            return list(rows)

    @property
    def mailed(self) -> Counter[str]:
        """How many mails the server took for each address."""
        return Counter(mail.recipients[0] for mail in self.smtp.accepted)


@asynccontextmanager
async def digest_site(settings: Settings) -> AsyncIterator[DigestSite]:
    app = create_app(settings)
    async with smtp_server() as smtp, task_context(app)(None):
        yield DigestSite(app, smtp)
    await close(app)
