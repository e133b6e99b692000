"""Every Redis key and its lifetime: what waits, runs or is unfinished has none, the script that ends it sets one."""

import re
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from ..values import checks

DEFAULT_QUEUE = "default"

POISON = 3  # Crashes that end a job: see note_lapse in claim.lua.
HISTORY_LENGTH = 100_000
AUDIT_LENGTH = 10_000
STATS_KEPT_S = 3 * 86_400
ERROR_GROUPS = 1_000
ERRORS_IN_MINUTE = 128  # Groups that a minute counts: as many as Redis keeps in a short list.
VERSIONS_KEPT = 100
WORKER_FORGOTTEN_MS = 3_600_000
WORKER_SILENT_MS = 15_000  # A worker that was not seen for this long does not count as one that serves its queues.
SCHEDULE_GONE_MS = 180_000  # So long after a worker last said that it has a schedule, none has it any more.
LAST_MS = 253_402_300_799_000  # The last second of the year 9999. All moments from 1970 to it are whole numbers of ms.
MOST_STEPS, STEPS_BYTES, EVENTS_BYTES = 10_000, 64 * 1024 * 1024, 16 * 1024 * 1024  # Of one job.
CALL_WORDS = 5  # Of each call that is stored: see read_call in storing.lua.
RESULT_EXPIRES_MS = 86_400_000  # One day, as Celery's `result_expires`.

StoredKey: TypeAlias = tuple[str, str, str, str, int, int]  # The key of a unique call, as unique.lua reads it.


@dataclass(frozen=True)
class Keys:
    """Every key and channel of an application: its *prefix*, the name below and, where it is one of many, of what."""

    prefix: str = ""

    OURS = "jobs:"

    # fmt: off
    # arq's own, in arq's format        # of       type and content     ends
    QUEUE = "arq:queue"                 #          zset id -> ms        -  due time, or the end of its lease
    # arq:queue:<name>                             zset id -> ms        -  the same
    # arq:queue:health-check                       text for --check     soon after its last worker
    # arq:queue:<name>:health-check                text for --check     soon after its last worker
    JOB = "arq:job:"                    # <id>     the call             with the job
    IN_PROGRESS = "arq:in-progress:"    # <id>     token of the owner   with its lease
    RETRY = "arq:retry:"                # <id>     attempts             with the job, of earlier releases
    RESULT = "arq:result:"              # <id>     the result           result_expires after the end
    ABORT = "arq:abort"                 #          zset id -> ms        read and emptied by claims

    # ours
    RECORD = "jobs:job:"                # <id>     hash: the record     HISTORY_LENGTH jobs later
    HISTORY = "jobs:history"            #          zset id -> ended ms  HISTORY_LENGTH entries
    ENDED = "jobs:ended:"               # <task>   zset id -> ended ms  with the history: its jobs of this task
    UNSUCCESSFUL = "jobs:unsuccessful"  #          zset id -> ended ms  with the history: FAILURE and REVOKED
    WAITERS = "jobs:waiters:"           # <id>     set of channels      with the job
    RUNNING = "jobs:running:"           # <worker> hash id -> token     with its jobs, of earlier releases
    WORKERS = "jobs:workers"            #          zset name -> seen    WORKER_FORGOTTEN_MS after it was last seen
    WORKER = "jobs:worker:"             # <name>   hash: about it       WORKER_FORGOTTEN_MS after it was last seen
    WAKE = "jobs:wake:"                 # <queue>  list of tokens       -  never more than one
    STATS = "jobs:stats:"               # <minute> hash of counters     STATS_KEPT_S
    SUMS = "jobs:sums:"                 # <of>     hash of sums         as long as pages show such minutes
    TOTALS = "jobs:totals"              #          hash of counters     -  the same, since ever
    ERRORS = "jobs:errors"              #          zset group -> seen   ERROR_GROUPS, those seen last
    ERROR = "jobs:error:"               # <group>  hash: about it       with its place in jobs:errors
    ERRORS_OF = "jobs:errors:"          # <time>   hash group -> n      STATS_KEPT_S: `1:minute` and `60:hour`
    VERSIONS = "jobs:versions"          #          zset name -> seen    VERSIONS_KEPT, those seen first last
    TASKS = "jobs:tasks"                #          hash task -> about   -  as many as workers ever knew
    QUEUES = "jobs:queues"              #          set of names         -  those that hold a job, others for a while
    SERVED = "jobs:served"              #          zset name -> seen    STATS_KEPT_S after it was last served
    AUDIT = "jobs:audit"                #          stream of actions    AUDIT_LENGTH entries
    LISTENING = "jobs:listening"        #          1                    soon after the last listener to events
    PAUSED = "jobs:paused"              #          set of queues        -
    LIMITS = "jobs:limits"              #          hash task|what       -  as long as a worker knows the task
    OVERRIDES = "jobs:overrides:"       # <task>   hash key|what        -  what is set for keys of its limits
    RATE = "jobs:rate:"                 # <bucket> hash: next places    -  of a key, an hour after its last place
    PLACES = "jobs:places:"             # <bucket> zset id -> place     with the waiting jobs
    HOLDERS = "jobs:holders:"           # <bucket> set of ids           with the running jobs
    BLOCKED = "jobs:blocked:"           # <bucket> zset id -> due       with the waiting jobs
    WAITING = "jobs:waiting:"           # <task>   zset key -> how many with the waiting jobs: those of each key
    UNIQUE = "jobs:unique:"             # <key>    id of its job        with the job; of a window, when it is over
    TREE = "jobs:tree:"                 # <id>     a workflow's tree    with its result
    JOURNAL = "jobs:journal:"           # <id>     hash path -> end     with its result
    STEPS = "jobs:steps:"               # <id>     hash: its steps      with its result
    ENDED_CALL = "jobs:call:"           # <id>     the call of a job with steps that has ended; with its result
    SUSPENDED = "jobs:suspended"        #          zset id -> since     with the jobs with steps that wait
    AWAITING = "jobs:awaiting"          #          zset id -> since     with the jobs that wait for events
    WORKFLOWS = "jobs:workflows"        #          zset id -> called    -  with their records, forgotten a few at a time
    LEASES = "jobs:leases:"             # <queue>  zset id -> lease end with the running jobs
    ALIVE = "jobs:alive"                #          hash: last contact   -  two numbers
    SCHEDULES = "jobs:schedules"        #          set of names         -  those that workers declare
    SCHEDULES_DUE = "jobs:schedules:due"  #        zset name -> looked  -  those that are stored
    SCHEDULE = "jobs:schedule:"         # <name>   hash: about it       -  until somebody forgets it
    BULK = "jobs:bulk:"                 # <plan>   hash: ids, how far  an hour later; a week, once it is confirmed
    CLOCK = "jobs:test:clock"           #          ms added to the time of every script; tests only
    ASIDE = "jobs:aside:"               # <key>    anything             a week later: from a key of ours of another type
    # fmt: on

    # channels
    REPLY = "jobs:reply:"
    CONTROL = "jobs:control:"
    PROGRESS = "jobs:progress:"
    NEWS = "jobs:news:"
    EVENTS = "jobs:events"
    ENDS = "jobs:ends:"

    _OF_TYPE: ClassVar = {
        "zset": (QUEUE, f"{QUEUE}:", ABORT, HISTORY, ENDED, UNSUCCESSFUL, WORKERS, SERVED, PLACES, BLOCKED, WAITING,
                 WORKFLOWS, LEASES, ERRORS, VERSIONS, SUSPENDED, AWAITING, SCHEDULES_DUE),
        "string": (JOB, IN_PROGRESS, RETRY, RESULT, LISTENING, TREE, CLOCK, UNIQUE, ENDED_CALL),
        "hash": (RECORD, RUNNING, WORKER, STATS, SUMS, TOTALS, TASKS, LIMITS, OVERRIDES, RATE, JOURNAL, STEPS, ALIVE,
                 SCHEDULE, BULK, ERROR, ERRORS_OF),
        "set": (WAITERS, QUEUES, PAUSED, HOLDERS, SCHEDULES),
        "list": (WAKE,),
        "stream": (AUDIT,),
    }  # fmt: skip

    def __post_init__(self) -> None:
        vars(self).update({name: self.prefix + key for name, key in NAMES.items()})

    @property
    def types(self) -> dict[str, str]:
        """The type of each key, or of each that begins so."""
        return {self.prefix + key: kind for kind, of_kind in self._OF_TYPE.items() for key in of_kind}

    def beginning_with(self, key: str) -> str:
        """The pattern of all keys that begin with *key*, which has no prefix yet."""
        return re.sub(r"[][*?\\]", r"\\\g<0>", self.prefix) + f"{key}*"

    def queue_key(self, name: str) -> str:
        """The sorted set of a queue: `default` is arq's own."""
        if name.startswith("=") and not self.is_ours(self.prefix + name[1:]):
            return self.prefix + name[1:]
        return self.QUEUE if name == DEFAULT_QUEUE else f"{self.QUEUE}:{name}"

    def is_ours(self, key: str) -> bool:
        """Is this a key of ours, or of arq's, that is no queue? No name makes a queue of one."""
        begin = (self.OURS, self.JOB, self.IN_PROGRESS, self.RETRY, self.RESULT)
        return key == self.ABORT or key.startswith(begin)

    def queue_name(self, key: str) -> str:
        """The queue whose sorted set is *key*. arq lets a queue have any key: one that is not like ours is `=key`."""
        key = key.removeprefix(self.prefix)
        if key == Keys.QUEUE:
            return DEFAULT_QUEUE
        return key.removeprefix(f"{Keys.QUEUE}:") if key.startswith(f"{Keys.QUEUE}:") else f"={key}"


NAMES = {name: key for name, key in vars(Keys).items() if name.isupper() and isinstance(key, str)}
NUMBERS = {name: n for name, n in list(globals().items()) if name.isupper() and isinstance(n, int)}
"""Set as locals before the scripts that use them, as NAMES are, so that none is written twice."""
NO_PREFIX = Keys()


checked_queue_key = checks.narrowed(
    checks.name, lambda key: not NO_PREFIX.is_ours(key), "the queue another name: that key holds something else"
)
"""A key that arq serves as a queue: none that holds something else of ours."""
