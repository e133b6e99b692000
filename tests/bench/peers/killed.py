"""What becomes of a job whose worker is killed: observed on a server of its own for each, all at the same time.

A worker that has done a job runs a long one for a second, then SIGKILL ends it, with all its processes. Another starts,
and each second a no-op is sent, as other callers would. Seconds go from the kill to the second start of the long job.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.peers import Peer
from tests.bench.rig import Rig
from tests.bench.servers import Server
from tests.bench.subjects import Subject

WATCHED_S = 120
AT_ONCE = 10


def all_killed(peers: Iterable[Peer], server: Server) -> dict[str, str]:
    """For each a sentence: by its defaults, and with the options that bring the job back within seconds."""
    tried = list(peers)
    with ThreadPoolExecutor(2 * len(tried)) as pool:
        plain = [pool.submit(one_killed, server, peer.running(min(peer.at_once))) for peer in tried]
        careful = {
            peer.name: pool.submit(one_killed, server, peer.running(min(peer.at_once), BENCH_CARE="1"))
            for peer in tried
            if peer.care
        }
        said = {}
        for peer, future in zip(tried, plain, strict=True):
            said[peer.name] = future.result()
            if peer.care:
                said[peer.name] += f"; with {peer.care}: {careful[peer.name].result()}"
        return said


def one_killed(server: Server, subject: Subject) -> str:
    with tempfile.TemporaryDirectory(prefix="quarq-killed-") as folder:
        rig = Rig(Path(folder), server)
        try:
            with rig.workers(subject) as [first]:
                rig.call(subject, "fill", 1)
                rig.wait_ran(1)
                rig.call(subject, "fill", 1, "long_nap")
                rig.wait_ran(2)
                time.sleep(1)
                os.killpg(first.pid, signal.SIGKILL)
                killed = time.monotonic()
            with rig.workers(subject), rig.caller(subject) as call:
                runs_again = second_start(rig, call, killed)
            return f"runs again after {runs_again:.0f} s" if runs_again else f"not within {WATCHED_S} s"
        except RuntimeError as error:
            return f"could not be tried: {error}"
        finally:
            rig.server.stop()


def second_start(rig: Rig, call: Callable[[], None], killed: float) -> float:
    """Seconds from the kill, 0 if there was none. Whatever is counted beyond what was sent is the long job again."""
    ran, next_call = 2, time.monotonic()
    while (now := time.monotonic()) < killed + WATCHED_S:
        if rig.tally.total() > ran:
            return now - killed
        if now >= next_call:
            call()
            ran, next_call = ran + 1, now + 1
        time.sleep(0.02)
    return 0
