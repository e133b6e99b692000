"""What the dice of one night choose: names of tasks, queues, errors and versions, how many fail, who calls."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from random import Random
from typing import Any

VERBS = ("charge", "send", "index", "render", "sync", "import", "export", "resize", "pack", "audit", "notify", "merge")
NOUNS = ("card", "mail", "order", "invoice", "image", "report", "feed", "stock", "parcel", "profile", "coupon", "page")
QUEUES = ("mail", "images", "reports", "billing", "search", "exports", "hooks", "stock", "slow", "bulk")
ERRORS = (
    "CardDeclined",
    "GatewayTimeout",
    "QuotaExceeded",
    "NotInStock",
    "BadAddress",
    "Overloaded",
    "LockLost",
    "Gone",
)
MESSAGES = ("no answer for order", "refused order", "cannot read order", "too late for order", "nobody took order")
ZONES = ("UTC", "Asia/Tokyo", "Asia/Kolkata", "America/Phoenix", "Pacific/Honolulu", "Africa/Lagos")
PEOPLE = ("ines", "otto", "mara", "yusuf", "lena", "bo", "chidi", "noor")
WAYS = ("browser", "command", "api")
HELD = 900_000
"""Orders from this number on are never done."""


@dataclass(frozen=True)
class Failing:
    """A task that fails, and how often it has."""

    task: str
    error: str
    message: str
    times: int


@dataclass(frozen=True)
class Rerun:
    """A task that failed *early* times, and again *late* times since the moment that is asked for."""

    failing: Failing
    early: int
    late: int


@dataclass(frozen=True)
class Chosen:
    seed: int
    zone: str
    colleague: str
    failing: list[Failing]  # In the last hour: one error, or many.
    reruns: dict[str, Rerun]  # By the way in which they are run again; all longer ago than an hour.
    quick: list[str]  # Tasks that end at once; the first is what the stuck job is of.
    slowest: str  # The one of the longest p95.
    busiest: str  # The one whose jobs ran longest together.
    worse: str  # What the deploy has broken: `slower`, or failing.
    slower: bool
    broken: Failing
    limited: str
    steps: list[str]  # Of the workflow.
    long_step: int
    members: int  # Of its second step, a group.
    held: str
    unknown: str
    customers: str
    customer: int
    orders: list[int]
    edited: str
    versions: list[str]
    growing: str
    draining: str
    paused: str
    unserved: str
    step_jobs: int  # How many jobs the backlogs change by in a minute.
    due_hours: int

    @property
    def tasks(self) -> list[str]:
        """All that workers know."""
        failing = [one.task for one in [*self.failing, *(rerun.failing for rerun in self.reruns.values())]]
        own = [self.slowest, self.busiest, self.worse, self.held, self.customers, self.edited]
        return [*failing, *self.quick, *own, *self.steps]

    @property
    def errors(self) -> list[Failing]:
        """Those of the last hour."""
        return self.failing if self.slower else [*self.failing, self.broken]

    def as_json(self) -> dict[str, Any]:
        """What a worker must know."""
        return asdict(self) | {"tasks": self.tasks}


def choose(seed: int) -> Chosen:
    """The same for the same seed."""
    dice = Random(seed)
    names = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]
    tasks = iter(f"{dice.choice(('shop', 'web', 'store'))}.{name}" for name in dice.sample(names, 40))
    queues = iter(dice.sample(QUEUES, 4))
    errors = iter(dice.sample(ERRORS, len(ERRORS)))

    def failing(times: int) -> Failing:
        return Failing(next(tasks), next(errors), dice.choice(MESSAGES), times)

    def rerun() -> Rerun:
        late = dice.randint(3, 8)
        return Rerun(failing(late), dice.randint(1, 4), late)

    many = [failing(dice.randint(3, 9)) for _ in range(dice.randint(1, 4))]
    reruns = {way: rerun() for way in WAYS}
    worse = next(tasks)
    return Chosen(
        seed=seed,
        zone=dice.choice(ZONES),
        colleague=f"{dice.choice(PEOPLE)}.{dice.choice('abcdefgh')}",
        failing=many,
        reruns=reruns,
        quick=[next(tasks) for _ in range(3)],
        slowest=next(tasks),
        busiest=next(tasks),
        worse=worse,
        slower=dice.random() < 0.5,
        broken=Failing(worse, next(errors), dice.choice(MESSAGES), 6),
        limited=next(tasks),
        steps=[next(tasks) for _ in range(3)],
        long_step=dice.randrange(3),
        members=dice.randint(2, 4),
        held=next(tasks),
        unknown=next(tasks),
        customers=next(tasks),
        customer=dice.randint(1_000, 99_999),
        orders=dice.sample(range(100_000, 800_000), dice.randint(4, 9)),
        edited=next(tasks),
        versions=[f"{dice.getrandbits(28):07x}" for _ in range(2)],
        growing=next(queues),
        draining=next(queues),
        paused=next(queues),
        unserved=next(queues),
        step_jobs=dice.randint(15, 25),
        due_hours=dice.randint(2, 20),
    )
