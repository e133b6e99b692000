"""Run arq 0.28.0's own tests three ways: arq itself, our worker, our worker with our connection."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from tests.redis_server import RedisServer
from tests.venv import download_source, make_venv

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "arq-suite"
VERSION = "0.28.0"
ARQ_SHA256 = "a458188aefc2d7ee17d136f80d8fa8df1d6eba4ceebdead87e9f172d027dc311"
FEW = 3  # so many may be slips of timing: on a busy machine arq's own tests have some, with arq's worker too
LOOKS = 3  # how often those are run
WAYS = {
    "stock": "arq's worker, arq's connection",
    "worker": "our worker, arq's connection",
    "connection": "our worker, our connection",
}


def main(ways: list[str]) -> int:
    """Print one line per way. Returns 1 if a test failed, or passed although differs.toml lists it."""
    if unknown := [way for way in ways if way not in WAYS]:
        print(f"no way named {unknown[0]!r}; there are: {', '.join(WAYS)}")
        return 2
    python = make_python()
    make_sources()
    chosen = ways or list(WAYS)
    with ThreadPoolExecutor() as together:  # most of the time each waits
        summary = dict(zip(chosen, together.map(run, chosen, repeat(python)), strict=True))
    print(f"\narq's own test-suite (arq {VERSION}):")
    for way, (code, counts) in summary.items():
        print(f"  {WAYS[way]:34} {'ok' if code == 0 else 'FAILED':8} {counts}")
    return 1 if any(code for code, _ in summary.values()) else 0


def make_python() -> Path:
    """Our dependencies and what arq's tests want, among it an old pytest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = HERE / "requirements.txt"
    return make_venv(CACHE / "venv", *project["dependencies"], "-r", str(wanted), key=wanted.read_text())


def make_sources() -> None:
    """arq's tests from its source distribution, beside a link to our `jobs` and to nothing else of ours."""
    sdist = CACHE / "sdist" / f"arq-{VERSION}.tar.gz"
    if not sdist.exists():
        download_source(sdist.parent, "arq", VERSION)
    if (found := hashlib.sha256(sdist.read_bytes()).hexdigest()) != ARQ_SHA256:
        raise SystemExit(f"{sdist} is not the arq we know: sha256 {found}, expected {ARQ_SHA256}; delete it")
    shutil.rmtree(CACHE / "work", ignore_errors=True)
    with tarfile.open(sdist) as archive:
        inside = [m for m in archive.getmembers() if m.name.split("/")[1] in ("tests", "pyproject.toml")]
        archive.extractall(CACHE / "work", members=inside, filter="data")
    (CACHE / "work" / "jobs").symlink_to(ROOT / "jobs")


def run(way: str, python: Path) -> tuple[int, str]:
    """The suite once; if few tests failed, those again, LOOKS times in all at most."""
    with tempfile.TemporaryDirectory(prefix="arq-suite-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        server = RedisServer(Path(folder), config={"port": str(port), "bind": "127.0.0.1"}).start()
        try:
            code, counts = pytest(way, python, port)
            failed = re.match(r"(\d+) failed", counts)
            looks = 1
            while code == 1 and failed and int(failed[1]) <= FEW and looks < LOOKS:
                looks += 1
                code, recount = pytest(way, python, port, "--last-failed", "--last-failed-no-failures=none")
                counts += f"; those again: {recount}"
        finally:
            server.stop()
    return code, counts


def pytest(way: str, python: Path, port: int, *options: str) -> tuple[int, str]:
    """One run; its output is shown only if it fails. Returns the exit code and pytest's last line."""
    environment = os.environ | {
        "ARQ_SUITE_WAY": way,
        "ARQ_SUITE_REDIS_PORT": str(port),
        "PYTHONPATH": f"{HERE / 'plugin'}:{CACHE / 'work'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [python, "-m", "pytest", "-p", "arq_suite_plugin", "-q", "--tb=native", "--no-header", *options]
    command += ["-o", f"cache_dir={CACHE / 'failed' / way}"]  # what `--last-failed` reads
    # tests that end while their worker still runs leave it to the collector
    command += ["-W", "ignore::pytest.PytestUnraisableExceptionWarning"]
    # redis-py >= 5 deprecates a call that arq's fixtures make
    command += ["-W", "ignore:Call to deprecated close:DeprecationWarning"]
    command += ["-W", "ignore:Call to '?get_connection'? function with deprecated args:DeprecationWarning"]
    began = time.monotonic()
    work = CACHE / "work" / f"arq-{VERSION}"
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"--- {WAYS[way]}\n{done.stdout}{done.stderr}")
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no output"
    return done.returncode, f"{last.strip('= ')} ({time.monotonic() - began:.0f} s)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
