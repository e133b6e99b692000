"""`python -m tests.mutants [--unchanged] [ids]`: put each fault into a copy of the code; its tests should find it.

With `--unchanged` the same tests run on the code as it is: all of them have to pass.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.mutants.faults import ROOT, Fault, load

AT_ONCE = 2
LONGEST_S = 240
"""What takes longer than that is taken for not found: the list has to stay quick."""
FAILED, PASSED = 1, 0
"""Exit codes of pytest and of chaos. Any other one says that the tests could not run, which finds no fault."""


def main(words: list[str]) -> int:
    unchanged = "--unchanged" in words
    ids = {word for word in words if not word.startswith("-")}
    faults = [fault for fault in load() if not ids or fault.id in ids]
    if unknown := ids - {fault.id for fault in faults}:
        print(f"no fault has the id {', '.join(sorted(unknown))}")
        return 2
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(partial(tried, unchanged=unchanged), faults))
    print(f"{sum(found)} of {len(found)} {'pass' if unchanged else 'found'} in {time.monotonic() - began:.0f} s")
    return 0 if all(found) else 1


def tried(fault: Fault, unchanged: bool) -> bool:
    """Whether the tests of this fault find it; said in a line."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"mutant-{fault.id}-") as folder:
        copy = Path(folder)
        copy_code(copy)
        try:
            if not unchanged:
                fault.put_into(copy)
            code, output = tested(fault, copy)
        except ValueError as error:
            code, output = -1, str(error)
    well = code == (PASSED if unchanged else FAILED)
    word = "passes" if unchanged and well else "found" if well else "FAILS" if unchanged else "NOT FOUND"
    print(f"{word:10}{fault.id:34}{time.monotonic() - began:4.0f} s  {said(output)}", flush=True)
    if not well:
        print(
            f"    {fault.wrong}\n    {output[-1500:]}" if code not in (PASSED, FAILED) else f"    {fault.wrong}",
            flush=True,
        )
    return well


def copy_code(folder: Path) -> None:
    """Every file that git knows here, as it is now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def tested(fault: Fault, folder: Path) -> tuple[int, str]:
    """The exit code of its tests, up to the first failure, and what they printed."""
    try:
        done = subprocess.run(
            [sys.executable, *command_of(fault, folder)], cwd=folder, timeout=LONGEST_S,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, f"no end after {LONGEST_S} s"
    return done.returncode, done.stdout


def command_of(fault: Fault, folder: Path) -> list[str]:
    """What Python has to run: pytest or chaos. On SQLite alone, as `make quick`."""
    if fault.chaos:
        return ["-m", "tests.chaos", "--short", "--seed", "1", *fault.chaos]
    files = [str(path.relative_to(folder)) for path in fault.test_files(folder)]
    which = f"not postgres and ({' or '.join(fault.only)})" if fault.only else "not postgres"
    return ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", which, *files]


def said(output: str) -> str:
    """The test that failed, or the promise that broke, or the last line."""
    failed = re.search(r"^(?:FAILED|ERROR) tests/(?:\w+/)*(.+?)(?: - .*)?$", output, re.MULTILINE)
    failed = failed or re.search(r"broken promises.*\n +(.+)", output)
    return failed[1] if failed else (output.strip().splitlines() or [""])[-1]


sys.exit(main(sys.argv[1:]))
