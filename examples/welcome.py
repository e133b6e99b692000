"""A welcome mail after sign-up, by a callback.

The callback gets the id of the committed row, never a password or a whole user. Everybody who can read Redis
can read the arguments of a call, and a copy of a user is stale when the mail is written.

arq examples.welcome.WorkerSettings         # in one terminal
python -m examples.welcome                  # in another
"""

import asyncio
import os
import sqlite3
from contextlib import closing

from jobs import connect, task, worker_settings

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379")
DATABASE = os.environ.get("USERS", "users.db")


@task(name="welcome.create_user")
def create_user(name: str, email: str) -> int:
    """A plain function runs in a thread, so sqlite3 may block. Safe to run twice: one row for each address."""
    with closing(sqlite3.connect(DATABASE)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE)")
        database.execute("INSERT OR IGNORE INTO user (name, email) VALUES (?, ?)", (name, email))
        [user_id] = database.execute("SELECT id FROM user WHERE email = ?", (email,)).fetchone()
        return int(user_id)


@task(name="welcome.send_mail", autoretry_for=(OSError,), retry_backoff=True)
def send_mail(user_id: int) -> str:
    """Reads the row now. The worker's log replaces a mail server here."""
    with closing(sqlite3.connect(DATABASE)) as database:
        name, email = database.execute("SELECT name, email FROM user WHERE id = ?", (user_id,)).fetchone()
    return f"To: {email}: Welcome, {name}!"


WorkerSettings = worker_settings(redis_url=REDIS_URL, tasks=[create_user, send_mail])


async def main() -> None:
    async with connect(REDIS_URL):
        result = await create_user.apply_async(("John Doe", "john@example.org"), link=send_mail.s())
        print("user", await result.get(timeout=10))


if __name__ == "__main__":
    asyncio.run(main())
