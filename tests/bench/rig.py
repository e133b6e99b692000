"""What every measurement needs: a Redis of its own, worker processes, callers, and what they cost."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.bench.servers import Server
from tests.bench.subjects import ROOT, Subject
from tests.bench.tally import Tally
from tests.redis_server import RedisServer


class Rig:
    """One Redis for the run, on TCP (some of the peers know no unix sockets), emptied by `fresh()`."""

    def __init__(self, folder: Path, server: Server, *, under: Sequence[str] = ()) -> None:
        """*under*: a program that runs the server, such as valgrind."""
        self.chosen = server
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = {"port": str(port), "bind": "127.0.0.1"}
        self.server = RedisServer(
            folder, binary=server.binary, config=config, under=under, environment=server.environment
        ).start()
        self.url = f"redis://127.0.0.1:{port}/0"
        self.redis = redis.Redis.from_url(self.url)
        self.tally = Tally(folder / "tally")
        self.busy_percent = 0.0  # of all cores, during the last drain

    def fresh(self) -> None:
        self.redis.execute_command("FLUSHALL", "SYNC")  # memory is measured: Valkey frees it later otherwise
        self.tally.reset()

    def call(self, subject: Subject, action: str, *arguments: object) -> dict[str, float]:
        """Run one action of client.py in the subject's environment."""
        command = [subject.bin / "python", "-m", "tests.bench.client", subject.path, action, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, env=self._environment(subject), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{subject.name}: {action} failed: {done.stderr[-2000:]}")
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    @contextmanager
    def caller(self, subject: Subject) -> Iterator[Callable[[], None]]:
        """A process that stays, connected, and makes one call each time that it is asked to."""
        command = [subject.bin / "python", "-m", "tests.bench.client", subject.path, "on_demand"]
        environment = self._environment(subject)
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdin is not None
            stdin = process.stdin

            def call() -> None:
                stdin.write("call\n")
                stdin.flush()

            yield call
            stdin.close()

    @contextmanager
    def workers(self, subject: Subject, n: int = 1, **environment: str) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Run n worker processes, started by the subject's own command with its own logging, to nowhere.

        Those that know the gate (arq's on_startup) begin together.
        """
        command = [str(subject.bin / subject.worker[0]), *subject.worker[1:]]
        started = [
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment(subject) | environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            for _ in range(n)
        ]
        try:
            if subject.waits_at_gate:
                self._wait(lambda: self.tally.arrived() >= n, f"{n} workers of {subject.name} to start")
                self.tally.open_gate()
            yield started
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def drain(self, subject: Subject, jobs: int, *, still_running: int = 0, timeout_s: float = 300) -> float:
        """Jobs per second from the first that runs until all have left the queue (the peers': have run)."""
        deadline = time.monotonic() + timeout_s
        first = self.tally.total()
        while (ran := self.tally.total()) == first < jobs and time.monotonic() < deadline:
            time.sleep(0.001)
        began, first, machine = time.monotonic(), ran, cpu_of_machine()
        while (ran := self.tally.total()) < jobs or self.in_queue() > still_running:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{subject.name}: only {ran} of {jobs} jobs ran in {timeout_s} s")
            time.sleep(0.005)
        busy, total = (after - before for after, before in zip(cpu_of_machine(), machine, strict=True))
        self.busy_percent = busy / max(1, total) * 100
        return (jobs - first) / (time.monotonic() - began)

    def wait_until_known(self) -> None:
        """Until workers have looked at all stored schedules, and none is due."""

        def is_known() -> bool:
            return not self.redis.zcount("jobs:schedules:due", "-inf", (time.time() + 6) * 1000 + self._ahead_ms())

        self._wait(is_known, "the schedules to be looked at", 120)

    def _ahead_ms(self) -> int:
        return int(self.redis.get("jobs:test:clock") or 0)

    def wait_ran(self, jobs: int) -> None:
        self._wait(lambda: self.tally.total() >= jobs, f"{jobs} jobs to have run")

    def describe(self) -> str:
        """What all figures of a run have in common."""
        info = self.redis.info()
        name, version = (
            ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", info["redis_version"])
        )
        return (
            f"{name} {version} with {info['mem_allocator']}, Python {platform.python_version()}, {os.cpu_count()} cores"
        )

    def used_memory(self) -> int:
        return int(self.redis.info("memory")["used_memory"])

    def commands(self, seconds: float) -> tuple[int, int]:
        """Commands that clients send to Redis in this time, and those that its scripts run."""
        counts = {True: 0, False: 0}
        deadline = time.monotonic() + seconds
        with self.redis.monitor() as monitor:
            self.redis.client_unblock(0)  # something to read, should nobody else send anything
            while time.monotonic() < deadline:
                counts[monitor.next_command()["client_type"] == "lua"] += 1
        return counts[False] - 1, counts[True]

    def in_queue(self) -> int:
        """Due or claimed: a claim moves a job's score to the end of its lease, at most 15 s from now."""
        return int(self.redis.zcount("arq:queue", "-inf", (time.time() + 20) * 1000))

    def _wait(self, condition: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {timeout_s} s for {what}")
            time.sleep(0.005)

    def _environment(self, subject: Subject) -> dict[str, str]:
        return os.environ | {"REDIS_URL": self.url, "BENCH_TALLY": str(self.tally.path)} | subject.environment


def cpu_of_machine() -> tuple[int, int]:
    """Ticks that all cores were busy, and ticks in all."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def cpu_seconds(pid: int) -> float:
    """CPU of all threads of a process, also of those that have ended, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) answers


def memory_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} is gone")


def memory_of_session_mib(leader: int) -> float:
    """A worker with all its processes."""
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return sum(memory_mib(pid) for pid in pids if _session(pid) == leader)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def wakeups(pid: int) -> int:
    """How often the main thread has gone to sleep, so how often it was woken."""
    for line in Path(f"/proc/{pid}/task/{pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} is gone")
