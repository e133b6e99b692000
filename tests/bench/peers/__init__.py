"""Other task queues, each with the best of its documented settings: how its worker is started, and what is said of it.

In a worker's command {} is how many jobs it runs at once. The modules in ../subjects say which settings, and why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.bench.subjects import OURS, ROOT, Subject

FOLDER = ROOT / ".cache" / "peers"


@dataclass(frozen=True)
class Peer:
    subject: Subject
    at_once: tuple[int, ...] = (10, 32, 100)
    note: str = ""
    care: str = ""  # options that bring the job of a killed worker back within seconds: BENCH_CARE sets them
    pure: bool = True  # its core is Python
    python: tuple[int, int] = (3, 11)  # the lowest that it runs on

    @property
    def name(self) -> str:
        return self.subject.name

    def running(self, at_once: int, **environment: str) -> Subject:
        """The subject with so many jobs at once."""
        worker = tuple(word.format(at_once) for word in self.subject.worker)
        settings = self.subject.environment | {"BENCH_MAX_JOBS": str(at_once)} | environment
        return replace(self.subject, worker=worker, environment=settings)


def peer(
    name: str, module: str, worker: str, *, jobs: int, environment: dict[str, str] | None = None, **said: Any
) -> Peer:
    command = worker.replace("MODULE", f"tests.bench.subjects.{module}").split()
    folder = FOLDER / module / "bin"
    return Peer(Subject(name, module, tuple(command), folder, environment or {}, jobs, round_trips=150), **said)


TASKIQ = "taskiq worker MODULE:broker --workers 1 --max-async-tasks {}"
QUARQ = Peer(replace(OURS, name="Quarq", jobs=20_000, round_trips=150))
PEERS = (
    QUARQ,
    peer("SAQ", "saq", "saq MODULE.settings", jobs=2_500, care="retries=2, timers={'sweep': 5}"),
    peer("taskiq, lists", "taskiq", TASKIQ, jobs=2_500, note="a list: what a worker has taken is gone from Redis"),
    peer(
        "taskiq, streams",
        "taskiq",
        TASKIQ,
        jobs=2_000,
        environment={"BENCH_BROKER": "streams"},
        care="idle_timeout=5000, unacknowledged_lock_timeout=5",
    ),
    peer("streaQ", "streaq", "streaq run MODULE:worker", jobs=1_500, care="idle_timeout=5"),
    peer("docket", "docket", "python -m MODULE", jobs=1_500, care="redelivery_timeout=5 s"),
    peer("BullMQ", "bullmq", "python -m MODULE", jobs=2_000, care="lockDuration=5000, stalledInterval=5000"),
    peer(
        "Dramatiq",
        "dramatiq",
        "dramatiq MODULE --processes 1 --threads {}",
        jobs=1_500,
        environment={"dramatiq_worker_timeout": "10"},
        care="heartbeat_timeout=5000, maintenance_chance=100000",
        note="one process with threads",
    ),
    peer(
        "Celery",
        "celery",
        "celery -A MODULE worker -c {}",
        jobs=1_500,
        at_once=(2,),
        care="task_acks_late, visibility_timeout=5",
        note="2 processes for 2 cores, its default",
    ),
    peer(
        "ArdiQ",
        "ardiq",
        "python -m ardiq run MODULE:app",
        jobs=15_000,
        care="idle_timeout_ms=5000",
        pure=False,
        python=(3, 12),
    ),
)
