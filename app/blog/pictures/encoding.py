"""Write a picture anew. As a program: reads a file, writes one line of JSON and the new file, within limits.

Nothing of the file that was sent survives but its pixels: no place, no camera, no other file inside.
It imports nothing else of the site.
"""

from __future__ import annotations

import json
import resource
import sys
from io import BytesIO
from typing import Any

from PIL import Image, ImageCms, ImageOps

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
MOST_PIXELS = 50_000_000
SIDE = 2_000
"""Pixels. A larger picture is made smaller."""
LARGE_PNG = 1_500_000
"""Bytes from which on a picture without transparent parts is a JPEG."""
CPU_S, MEMORY = 10, 3 << 29


class CannotBeStored(Exception):
    """The picture is refused. Its text is a code of storage.REFUSALS."""


def encoded(data: bytes) -> tuple[dict[str, Any], bytes]:
    """What is known of the new file, and its bytes. Raises CannotBeStored.

    Of a picture that moves it has the first frame.
    """
    try:
        return _encoded(data)
    except (CannotBeStored, MemoryError):
        raise
    except Exception:  # Pillow has no class of its own for what is wrong with a file
        raise CannotBeStored("not-a-picture") from None


def _encoded(data: bytes) -> tuple[dict[str, Any], bytes]:
    Image.MAX_IMAGE_PIXELS = None  # the limit below is checked before any pixel is read
    with Image.open(BytesIO(data), formats=FORMATS) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise CannotBeStored("too-many-pixels")
        moves = bool(getattr(picture, "is_animated", False))
        is_photo = picture.format == "JPEG"
        picture.draft(None, (SIDE, SIDE))  # a JPEG is read smaller at once
        picture.load()
        small = _plain(picture)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    kind, written = _written(small, is_photo)
    return {"kind": kind, "width": small.width, "height": small.height, "moves": moves}, written


def _plain(picture: Image.Image) -> Image.Image:
    """Upright, in the colours of the web, as RGB or RGBA."""
    upright = ImageOps.exif_transpose(picture)
    see_through = upright.has_transparency_data
    colours = _to_srgb(upright) if upright.mode in ("RGB", "RGBA", "CMYK") else upright
    plain = colours.convert("RGBA" if see_through else "RGB")
    if plain.mode == "RGBA" and plain.getchannel("A").getextrema() == (255, 255):
        plain = plain.convert("RGB")
    plain.info.clear()
    return plain


def _to_srgb(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if not profile:
        return picture
    try:
        source, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
        mode = "RGB" if picture.mode == "CMYK" else picture.mode
        return ImageCms.profileToProfile(picture, source, target, outputMode=mode) or picture
    except (ImageCms.PyCMSError, OSError):
        return picture


def _written(picture: Image.Image, is_photo: bool) -> tuple[str, bytes]:
    if not is_photo:
        png = _save(picture, "PNG", optimize=True)
        if picture.mode == "RGBA" or len(png) <= LARGE_PNG:
            return "png", png
    return "jpg", _save(picture, "JPEG", quality=85, progressive=True)


def _save(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        known, written = encoded(sys.stdin.buffer.read())
    except CannotBeStored as error:
        known, written = {"refused": str(error)}, b""
    sys.stdout.buffer.write(json.dumps(known).encode() + b"\n" + written)


if __name__ == "__main__":
    main()
