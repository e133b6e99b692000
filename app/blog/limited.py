"""Run a program on untrusted data. The program sets itself limits on CPU time and memory."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

PATIENCE_S = 20
"""The programs have a few seconds of CPU time. On a busy machine they may wait for them."""


async def run(program: Path, data: bytes) -> bytes | None:
    """What the program writes for this data. None if it fails or exceeds its limits."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(program)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            written, _ = await process.communicate(data)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return written if process.returncode == 0 and written else None
