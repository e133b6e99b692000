"""Pictures: only pixels get in, within limits, and everybody who may see one gets it."""

from __future__ import annotations

import os
import re
import struct
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from quart import Quart, Response
from quart.datastructures import FileStorage
from sqlalchemy import select

from app.blog import Post
from app.blog.pictures import encoding, pages, storage
from app.blog.pictures.models import Picture
from app.blog.pictures.pages import MOST_BYTES
from tests.app.visitor import Visitor

SECRET = b"51.5007N-0.1246W"


def drawn(kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", **options: Any) -> bytes:
    """A picture, red on the left and blue on the right."""
    picture = Image.new("RGB", size, "red")
    picture.paste("blue", (size[0] // 2, 0, *size))
    file = BytesIO()
    picture.convert(mode).save(file, kind, **options)
    return file.getvalue()


def photo() -> bytes:
    """From a camera that was held sideways, with a place."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it to the right
    exif[0x010E] = SECRET.decode()
    exif.get_ifd(0x8825)[1] = "N"
    return drawn("JPEG", exif=exif, comment=SECRET)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int, height: int) -> bytes:
    """A few kB that would be gigabytes of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1 << 20), 9))
        + chunk(b"IEND", b"")
    )


def with_chunk(kind: bytes, head: bytes) -> bytes:
    """A PNG with a few kB in front of its pixels that would be 5 MB."""
    png = drawn("PNG")
    return png[:33] + chunk(kind, head + zlib.compress(bytes(5_000_000))) + png[33:]


def moving() -> bytes:
    file = BytesIO()
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


TAKEN = {
    "jpeg": drawn("JPEG"), "png": drawn("PNG"), "gif": drawn("GIF"), "webp": drawn("WEBP"), "moving": moving(),
    "photo": photo(), "grey": drawn("PNG", mode="L"), "palette": drawn("PNG", mode="P"),
    "opaque": drawn("PNG", mode="RGBA"), "cmyk": drawn("JPEG", mode="CMYK"),
    "one pixel": drawn("PNG", size=(1, 1)), "narrow": drawn("PNG", size=(1, 9_000)),
    "wide": drawn("PNG", size=(6_000, 9)),
    "polyglot": drawn("GIF") + b"<script>alert(1)</script>" + SECRET,
    "zip at its end": drawn("PNG") + b"PK\x03\x04" + SECRET,
}  # fmt: skip
REFUSED = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html": b"<!doctype html><script>alert(1)</script>",
    "gif header only": b"GIF89a<script>alert(1)</script>",
    "truncated jpeg": drawn("JPEG", size=(300, 300))[:-400],
    "truncated png": drawn("PNG", size=(300, 300))[:-200],
    "bmp": drawn("BMP"), "tiff": drawn("TIFF"), "ico": drawn("ICO", size=(16, 16)),
    "pdf": b"%PDF-1.7\n1 0 obj\n", "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "nothing": b"", "zeros": bytes(100), "bomb": huge_png(40_000, 40_000), "line": huge_png(2**31 - 1, 1),
    "large and false": huge_png(7_000, 7_000),
    "long comment": with_chunk(b"zTXt", b"Comment\0\0"), "long profile": with_chunk(b"iCCP", b"x\0\0"),
}  # fmt: skip


async def upload(visitor: Visitor, data: bytes, *, json: bool = True, name: str = "x.jpg", **form: str) -> Response:
    """As the page of pictures, or the script of the editor, sends it."""
    await visitor.get("/pictures")
    file = FileStorage(BytesIO(data), filename=name, name="picture", content_type="image/jpeg")
    headers = {"Accept": "application/json"} if json else {}
    form = {"csrf_token": visitor.token()} | form
    return await visitor.client.post("/pictures", form=form, files={"picture": file}, headers=headers)


async def address_of(answer: Response) -> str:
    line = (await answer.get_json())["markdown"]
    [address] = re.findall(r"\((/pictures/[0-9a-f]{32}\.(?:jpg|png))\)", line)
    return address


async def rows(app: Quart) -> list[Picture]:
    async with app.extensions["database"].session() as db:
        return list(await db.scalars(select(Picture).order_by(Picture.id)))


@pytest.mark.parametrize("name", TAKEN)
def test_only_pixels_are_left(name: str) -> None:
    known, data = encoding.encoded(TAKEN[name])

    with Image.open(BytesIO(TAKEN[name])) as before, Image.open(BytesIO(data)) as after:
        after.load()
        assert after.format == {"jpg": "JPEG", "png": "PNG"}[known["kind"]]
        assert max(after.size) <= encoding.SIDE
        assert after.size == (known["width"], known["height"])
        assert not after.getexif()
        assert set(after.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"}
        assert known["moves"] == (name == "moving")
        assert after.mode == "RGB"
        if name == "photo":
            assert after.size == (20, 40), "upright"
        elif max(before.size) <= encoding.SIDE:
            assert after.size == before.size
    assert SECRET not in data
    assert b"script" not in data


def test_what_is_transparent_stays_so() -> None:
    file = BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 100)).save(file, "WEBP", lossless=True)

    known, data = encoding.encoded(file.getvalue())

    with Image.open(BytesIO(data)) as after:
        assert (known["kind"], after.mode, after.getpixel((1, 1))) == ("png", "RGBA", (255, 0, 0, 100))


@given(st.binary(max_size=300) | st.sampled_from([*TAKEN.values()]).flatmap(
    lambda data: st.tuples(st.integers(0, len(data) - 1), st.binary(min_size=1, max_size=8)).map(
        lambda at: data[: at[0]] + at[1] + data[at[0] + len(at[1]) :])))  # fmt: skip
def test_any_bytes_are_a_picture_or_refused(data: bytes) -> None:
    known: dict[str, Any] = {}
    with suppress(encoding.CannotBeStored):
        known, written = encoding.encoded(data)

    if known:
        assert Image.open(BytesIO(written)).size == (known["width"], known["height"])


async def test_what_is_no_picture_is_refused_whatever_it_is_called(app: Quart, owner: Visitor) -> None:
    for name, data in REFUSED.items():
        answer = await upload(owner, data, name="harmless.png")
        assert answer.status_code == 400, name
        assert (await answer.get_json())["error"], name
    assert await rows(app) == []
    assert not (app.extensions["settings"].data_dir / "pictures").exists()


@pytest.mark.both_databases("rows, sums and a look into the texts of posts")
async def test_from_the_file_to_the_post_and_the_feed(app: Quart, owner: Visitor, visitor: Visitor) -> None:
    answer = await upload(owner, photo(), alt="A [tower]")
    assert (await answer.get_json())["markdown"].startswith(r"![A \[tower\]](/pictures/")
    address = await address_of(answer)
    same = await upload(owner, photo(), alt="Again")
    assert await address_of(same) == address
    [row] = await rows(app)
    file = app.extensions["settings"].data_dir / address[1:]
    assert (file.stat().st_mode & 0o777, row.size) == (0o600, file.stat().st_size)
    async with app.extensions["database"].session() as db:
        db.add(Post(title="Tower", text=f"![A tower]({address})\n\nWords", published_at=datetime.now(UTC)))
        await db.commit()

    for reader in (visitor, owner):
        shown = await reader.client.get(address)
        assert shown.status_code == 200
        assert shown.headers["Content-Type"] == "image/jpeg"
        assert shown.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert shown.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in shown.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in shown.headers
        assert await shown.get_data(as_text=False) == file.read_bytes()
    assert (await visitor.client.get(address, headers={"If-None-Match": shown.headers["ETag"]})).status_code == 304
    await visitor.get("/posts/1-tower")
    assert f'<img src="{address}" alt="A tower">' in visitor.text
    await visitor.get("/feed.atom")
    assert f"{app.extensions['settings'].base_url}{address}" in visitor.text

    await owner.post(f"{address}/delete", page="/pictures")
    await owner.get("/pictures")
    assert owner.marks.notices == ["in-use"]
    assert "Tower" in owner.text
    await owner.post("/posts/1/edit", title="Tower", text="Words")
    await owner.post(f"{address}/delete", page="/pictures")
    assert (await visitor.get(address)).status_code == 404
    assert (await rows(app), file.exists()) == ([], False)


async def test_without_scripts_the_page_takes_a_picture(app: Quart, owner: Visitor) -> None:
    answer = await upload(owner, moving(), json=False, alt="Ball")
    assert (answer.status_code, answer.location) == (303, "/pictures")
    await owner.get("/pictures")
    assert owner.marks.notices == ["uploaded", "first-frame"]
    [row] = await rows(app)
    assert row.line() in owner.text

    refused = await upload(owner, b"no", json=False)
    assert refused.status_code == 400
    assert 'data-error="not-a-picture"' in await refused.get_data(as_text=True)


async def test_limits_of_size_number_and_time(app: Quart, owner: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await upload(owner, bytes(MOST_BYTES))).status_code == 413
    monkeypatch.setattr(storage, "MOST", 1)
    assert (await upload(owner, drawn("PNG", size=(2, 2)))).status_code == 200
    assert (await upload(owner, drawn("PNG", size=(2, 2)))).status_code == 200, "the same one"
    full = await upload(owner, drawn("PNG", size=(3, 3)))
    assert (full.status_code, "room" in (await full.get_json())["error"]) == (400, True)
    monkeypatch.setattr(storage, "MOST", 1_000)
    monkeypatch.setattr(storage, "MOST_BYTES", (await rows(app))[0].size)
    assert (await upload(owner, drawn("PNG", size=(3, 3)))).status_code == 400
    monkeypatch.undo()

    monkeypatch.setattr(pages, "AN_HOUR", 1)
    await upload(owner, b"")
    assert (await upload(owner, b"")).status_code == 429


async def test_only_the_owner_sends_files_and_only_here(
    app: Quart, owner: Visitor, alice: Visitor, visitor: Visitor
) -> None:
    for somebody, status in ((alice, 403), (visitor, 303)):
        await somebody.get("/sign-in")
        file = FileStorage(BytesIO(drawn("PNG")), filename="x.png", name="picture")
        answer = await somebody.client.post("/pictures", form={"csrf_token": somebody.token()}, files={"picture": file})
        assert answer.status_code == status
    await owner.get("/posts/new")
    file = FileStorage(BytesIO(drawn("PNG")), filename="x.png", name="picture")
    answer = await owner.client.post("/posts/new", form={"csrf_token": owner.token()}, files={"picture": file})
    assert answer.status_code == 400
    file = FileStorage(BytesIO(drawn("PNG")), filename="x.png", name="picture")
    assert (await owner.client.post("/pictures", form={}, files={"picture": file})).status_code == 403
    assert await rows(app) == []


async def test_no_name_leads_out_of_the_folder(owner: Visitor, visitor: Visitor) -> None:
    for name in ("../site.db", "..%2Fsite.db", "x.png", "%00.png", f"{'0' * 32}.svg", f"{'0' * 32}.png%0a", "0" * 32):
        assert (await visitor.get(f"/pictures/{name}")).status_code == 404, name
        await owner.get("/pictures")
        headers = {"X-CSRF-Token": owner.token()}
        assert (await owner.client.post(f"/pictures/{name}/delete", headers=headers)).status_code == 404, name


async def test_files_without_a_row_are_put_aside_after_a_day(app: Quart, owner: Visitor) -> None:
    """Of a process that was killed between the file and its row, or uploaded since the backup that is restored."""
    folder: Path = app.extensions["settings"].data_dir / "pictures"
    folder.mkdir()
    for name, age in (("old.png", storage.ORPHANED_S + 60), ("new.png", 0)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (at := datetime.now(UTC).timestamp() - age, at))

    for size in ((40, 20), (20, 40)):
        await upload(owner, drawn("PNG", size=size))

    assert {path.name for path in folder.iterdir()} == {"new.png", "unknown", *(row.name for row in await rows(app))}
    assert [path.read_bytes() for path in (folder / "unknown").iterdir()] == [b"x"]
    assert (folder / "unknown").stat().st_mode & 0o777 == 0o700
    assert (await owner.get("/pictures/unknown")).status_code == 404


@pytest.mark.both_databases("looks into JSON")
async def test_a_picture_of_an_unsaved_text_stays(app: Quart, owner: Visitor) -> None:
    address = await address_of(await upload(owner, drawn("PNG")))
    await owner.get("/posts/new")
    typed = {"csrf_token": owner.token(), "tab": "one-tab-only", "change": "1", "title": "Not yet", "text": address}
    assert (await owner.client.post("/posts/unsaved", form=typed)).status_code == 204

    await owner.post(f"{address}/delete", page="/pictures")
    await owner.get("/pictures")
    assert owner.marks.notices == ["in-use"]
    assert "Not yet" in owner.text
    assert (await owner.client.get(address)).status_code == 200

    await owner.post("/posts/unsaved/one-tab-only/discard", page="/posts/new")
    await owner.post(f"{address}/delete", page="/pictures")
    assert (await owner.get(address)).status_code == 404


async def test_the_words_for_a_picture_are_those_that_were_sent(app: Quart, owner: Visitor) -> None:
    """The same picture can show another thing in another post."""
    for sent, line, stored in (
        ("", "", ""),
        ("A cat", "A cat", "A cat"),
        ("Her cat", "Her cat", "A cat"),
        ("", "A cat", "A cat"),
    ):
        answer = await (await upload(owner, drawn("PNG"), alt=sent)).get_json()
        assert answer["markdown"].startswith(f"![{line}]("), sent
        assert [row.alt for row in await rows(app)] == [stored]
