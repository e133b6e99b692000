"""Upload, list, show and delete pictures. On the blueprint of the blog."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from quart import Response, abort, jsonify, redirect, render_template, request, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import database, times
from app.accounts import current_account, owner_only, public
from app.blog import markdown
from app.blog.pages import blueprint
from app.blog.pictures import storage
from app.blog.pictures.models import LONGEST_ALT, Picture
from app.blog.pictures.storage import NAME, PictureRefused
from app.web.rate_limits import Limit, current_rate_limits
from jobs.monitor_site.web.messages import Message, notify

AN_HOUR = 120
ADDRESS = "/pictures"
MOST_BYTES = 10_000_000
"""Of one upload."""
KINDS = {"jpg": "image/jpeg", "png": "image/png"}
FOR_EVERYBODY = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # feed readers on other sites show it
}
TOO_OFTEN = Message("too-often", "Too many pictures. Try again in {}.")
NO_FILE = Message("no-file", "Choose a picture.")
FIRST_FRAME = Message("first-frame", "This picture moves. Its first frame was stored.")


@blueprint.get(ADDRESS)
@owner_only
async def pictures() -> ResponseReturnValue:
    """The pictures, newest first, with the line that shows each in a post."""
    return await _list()


@blueprint.post(ADDRESS)
@owner_only
async def upload() -> ResponseReturnValue:
    """Store a picture. The editor asks for JSON, and gets the line for the text."""
    as_json = request.accept_mimetypes.best == "application/json"
    try:
        line, moves = await _upload()
    except PictureRefused as error:
        return (jsonify(error=str(error)), 400) if as_json else (await _list(error.message), 400)
    if as_json:
        return jsonify(markdown=line, note=str(FIRST_FRAME) if moves else "")
    await notify(Message("uploaded", "Picture stored. Copy its line into a post."))
    if moves:
        await notify(FIRST_FRAME, "warning")
    return redirect(url_for("blog.pictures"), 303)


@blueprint.get(f"{ADDRESS}/<name>")
@public
async def picture(name: str) -> ResponseReturnValue:
    """One picture. Its name is a hash of its content, so that browsers never ask again."""
    if not NAME.fullmatch(name):
        abort(404)
    try:
        data = await asyncio.to_thread((storage.folder() / name).read_bytes)
    except FileNotFoundError:
        abort(404)
    response = Response(data, content_type=KINDS[name.rpartition(".")[2]], headers=FOR_EVERYBODY)
    response.set_etag(name)
    return await response.make_conditional(request)


@blueprint.get(f"{ADDRESS}/<name>/delete")
@owner_only
async def ask_to_delete_picture(name: str) -> ResponseReturnValue:
    async with database.session() as db:
        found = await _existing(db, name)
        titles = await storage.used_in(db, found)
    return await _in_use(titles) if titles else await render_template("blog/delete_picture.html", picture=found)


@blueprint.post(f"{ADDRESS}/<name>/delete")
@owner_only
async def delete_picture(name: str) -> ResponseReturnValue:
    """Delete a picture that no post shows, and no unsaved text."""
    async with database.transaction() as db:
        found = await _existing(db, name)
        titles = await storage.used_in(db, found)
        if not titles:
            await storage.remove(db, current_account(), found)
    if titles:
        return await _in_use(titles)
    await notify(Message("picture-deleted", "Picture deleted."))
    return redirect(url_for("blog.pictures"), 303)


async def _existing(db: AsyncSession, name: str) -> Picture:
    return await db.scalar(select(Picture).where(Picture.name == name)) or abort(404)


async def _in_use(titles: Sequence[str]) -> ResponseReturnValue:
    in_use = Message("in-use", "Remove this picture from its posts first: {}.")
    await notify(in_use.format(", ".join(titles)), "warning")
    return redirect(url_for("blog.pictures"), 303)


async def _upload() -> tuple[str, bool]:
    """The line that shows the picture, and whether it moved."""
    if wait_s := await current_rate_limits().take(
        Limit("picture", str(current_account().id), times=AN_HOUR, period_s=3600)
    ):
        abort(429, TOO_OFTEN.format(times.wait(wait_s)))
    sent, files = await request.form, await request.files
    file: Any = files.get("picture")
    data = await asyncio.to_thread(file.read) if file else b""
    if not data:
        raise PictureRefused(NO_FILE.code, str(NO_FILE))
    new = await storage.read(data)
    alt = " ".join(markdown.printable(sent.get("alt", "")).split())[:LONGEST_ALT]
    async with database.transaction() as db:
        picture = await storage.add(db, current_account(), new, alt)
    return picture.line(alt), new.moves


async def _list(error: Message | None = None) -> str:
    async with database.session() as db:
        found = (await db.scalars(select(Picture).order_by(Picture.id.desc()).limit(2 * storage.MOST))).all()
    size = sum(picture.size for picture in found)
    return await render_template("blog/pictures.html", pictures=found, size=size, error=error, most_bytes=MOST_BYTES)
