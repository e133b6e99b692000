"""The owner's pages of imports: choose a file, see what was in it, follow its emails, stop it."""

from __future__ import annotations

import asyncio
from contextlib import closing
from functools import partial

from quart import abort, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select

from app import database
from app.accounts import owner_only
from app.accounts.links import parse_address
from app.context import site
from app.subscribers import forgotten, importing, reading
from app.subscribers.delivery import IMPORTED_A_MINUTE
from app.subscribers.models import Import
from app.subscribers.pages import blueprint
from jobs.monitor_site.web.messages import Message, notify

ADDRESS = "/subscribers/import"
MOST_BYTES = reading.MOST_BYTES
MOST_LISTED = 20

NO_FILE = Message("no-file", "Choose a CSV file.")
ADDED = Message("imported", "Imported. {} added.")
STOPPED = Message("import-stopped", "Stopped. {} will not be asked, and are deleted.")


@blueprint.get(ADDRESS)
@owner_only
async def show_import_form() -> ResponseReturnValue:
    return await _form()


@blueprint.post(ADDRESS)
@owner_only
async def import_file() -> ResponseReturnValue:
    """Add the addresses of a file, or only say what it holds. Bad lines are listed here, and nowhere stored."""
    content = b""
    if upload := (await request.files).get("file"):
        with closing(upload):
            content = await asyncio.to_thread(upload.read)
    if not content:
        return await _form(NO_FILE), 400
    try:
        found = await asyncio.to_thread(reading.read, content, partial(parse_address, settings=site()))
    except reading.FileRefused as error:
        return await _form(error.message), 400
    one = None
    if "check" not in await request.form:
        async with database.transaction() as db:
            wanted = await forgotten.without(db, found.addresses)
            one = await importing.add(db, wanted)
            one.known += len(found.addresses) - len(wanted)
        if not found.bad:  # the bad lines are stored nowhere, so only this answer can list them
            await notify(ADDED.format(_addresses(one.added)))
            return redirect(url_for("subscribers.show_import", pk=one.id), 303)
    return await render_template(
        "subscribers/imported.html",
        found=found,
        one=one,
        bad=found.bad,
        unlisted=found.unlisted,
        a_minute=IMPORTED_A_MINUTE,
    )


@blueprint.get("/subscribers/imports/<int(max=2147483647):pk>")
@owner_only
async def show_import(pk: int) -> ResponseReturnValue:
    """The outcome so far."""
    async with database.session() as db:
        one = await db.get(Import, pk) or abort(404)
        [progress] = await importing.progress(db, [one])
    return await render_template(
        "subscribers/import.html", progress=progress, refresh=5 if progress.waiting else 0, a_minute=IMPORTED_A_MINUTE
    )


@blueprint.get("/subscribers/imports/<int(max=2147483647):pk>/stop")
@owner_only
async def ask_to_stop_import(pk: int) -> ResponseReturnValue:
    async with database.session() as db:
        [progress] = await importing.progress(db, [await db.get(Import, pk) or abort(404)])
    if not progress.waiting:
        return redirect(url_for("subscribers.show_import", pk=pk), 303)
    return await render_template("subscribers/stop_import.html", progress=progress)


@blueprint.post("/subscribers/imports/<int(max=2147483647):pk>/stop")
@owner_only
async def stop_import(pk: int) -> ResponseReturnValue:
    async with database.transaction() as db:
        stopped = await importing.stop(db, await db.get(Import, pk) or abort(404))
    await notify(STOPPED.format(_addresses(stopped)))
    return redirect(url_for("subscribers.show_import", pk=pk), 303)


def _addresses(count: int) -> str:
    return f"{count:,} address{'es' if count != 1 else ''}"


async def _form(error: Message | None = None) -> str:
    async with database.session() as db:
        imports = (await db.scalars(select(Import).order_by(Import.id.desc()).limit(MOST_LISTED))).all()
        past = await importing.progress(db, imports)
    return await render_template(
        "subscribers/import_form.html",
        past=past,
        error=error,
        a_minute=IMPORTED_A_MINUTE,
        most=reading.MOST_LINES,
        megabytes=reading.MOST_BYTES // 1_000_000,
    )
