"""A real browser for tests: find Chromium, or say how to get it; `python -m tests.browser` installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "chromium"
PACKAGE = "@sparticuz/chromium@153.0.0"  # Chromium inside an npm package: nothing else is downloaded
UNPACK = """
const fs = require("fs"), zlib = require("zlib"), [from, to] = process.argv.slice(1);
fs.writeFileSync(to, zlib.brotliDecompressSync(fs.readFileSync(from)));
"""


FONTS = f"""<fontconfig>
<dir>{CACHE}/fonts</dir><dir>/usr/share/fonts</dir><dir prefix="xdg">fonts</dir>
<cachedir>{CACHE}/fontconfig</cachedir>
</fontconfig>
"""


def find() -> tuple[str, dict[str, str]]:
    """The browser and the environment it needs. None is an error: a skipped test shows nothing."""
    on_path = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    for path in (os.environ.get("CHROMIUM_PATH"), *on_path):
        if path:
            return path, {}
    if (CACHE / "chromium").exists():
        fonts = {"FONTCONFIG_FILE": str(CACHE / "fonts.conf")}
        return str(CACHE / "chromium"), {"LD_LIBRARY_PATH": str(CACHE / "lib")} | fonts
    raise RuntimeError("no browser to test with: run `.venv/bin/python -m tests.browser`, or set CHROMIUM_PATH")


@asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """Chromium, until the block ends."""
    path, environment = find()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, env={**os.environ, **environment}, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, started for this test."""
    async with started() as browser:
        yield browser


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A visitor with no cookies."""
    context = await browser.new_context()
    yield context
    await context.close()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    """An empty tab. An error in the page's own script fails the test that waits on it."""
    page = await context.new_page()
    page.set_default_timeout(10_000)
    return page


def install() -> None:
    """Chromium from Debian when we are root, else from npm into `.cache/chromium`."""
    try:
        find()
        return
    except RuntimeError:
        pass
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0"]
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*apt, "update"], env=environment, check=False)
        done = subprocess.run([*apt, "install", "--no-install-recommends", "chromium"], env=environment, check=False)
        if done.returncode == 0:
            # Chinese and emoji are drawn, not boxes; no test depends on it.
            fonts = ["fonts-noto-cjk", "fonts-noto-color-emoji"]
            subprocess.run([*apt, "install", "--no-install-recommends", *fonts], env=environment, check=False)
            return
    from_npm()


def from_npm() -> None:
    if not (shutil.which("npm") and shutil.which("node")):
        sys.exit("No browser to test with: install Chromium (apt install chromium), or Node and npm to fetch one.")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=work, check=True)
        [package] = Path(work).glob("*.tgz")
        subprocess.run(["tar", "-xzf", package, "-C", work], check=True)
        for name in ("al2023", "fonts"):
            packed = Path(work, "package", "bin", f"{name}.tar.br")
            subprocess.run(["node", "-e", UNPACK, packed, packed.with_suffix("")], check=True)
            subprocess.run(["tar", "-xf", packed.with_suffix(""), "-C", work], check=True)
        shutil.copytree(Path(work, "lib"), CACHE / "lib", dirs_exist_ok=True)
        shutil.copytree(Path(work, "fonts"), CACHE / "fonts", dirs_exist_ok=True)
        (CACHE / "fonts.conf").write_text(FONTS)
        binary = Path(work, "chromium")
        packed = Path(work, "package", "bin", "chromium.br")
        subprocess.run(["node", "-e", UNPACK, packed, binary], check=True)
        binary.chmod(0o755)
        os.replace(binary, CACHE / "chromium")  # last: its presence says that all is there


if __name__ == "__main__":
    install()
    print(find()[0])
