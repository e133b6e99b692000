"""What operators see of the jobs in a Redis, and what they do about it: pages, commands and metrics share it.

Its public name is `jobs.monitor`. No worker imports it, and a caller does with the first `schedules.list()` or
`limits.set()`.
"""

from ...client.job_info import Attempt, JobInfo
from ...errors import NotRetried, QuarqError
from ...schedules.schedule_info import ScheduleInfo
from ...store.store import now
from ...values.short_text import text
from .actions import move, pause, purge, purge_queue, quiet, reschedule, resume, retry, revoke, set_rate_limit, shutdown
from .audit_log import AuditEntry, audit, note, noted, pauses
from .counters import Count, totals
from .durable_steps import Awaiting, StepRow, awaiting, check_event, run_from, send_event, steps
from .event_stream import Event, events
from .job_row import JobRow, error_text
from .limits import LimitInfo, change_limit, limit_key, limit_list, pause_limit, resume_limit, set_limit, shown_key
from .masked_call import MaskedCall, call_of, unfinished_calls
from .queue_list import Purge, QueueInfo, lapsed, purgeable, queues, queues_named, waiting
from .reasons import Reason, why
from .redis_info import Broker, broker
from .search import Page, find, matching, rows_of, running
from .search_indexes import queue_names
from .wanted import Wanted
from .worker_list import Situation, WorkerInfo, situation
from .worker_list import online as workers

from .stored_schedules import (  # isort: skip
    backfill_schedule, delete_schedule, forget_schedule, get_schedule, moments_to_backfill, overdue,
    pause_schedule, put_schedule, resume_schedule, run_schedule, schedule_names, schedules, schedules_named,
)  # fmt: skip

__all__ = [
    "Attempt", "AuditEntry", "Awaiting", "Broker", "Count", "Event", "JobInfo", "JobRow", "LimitInfo", "MaskedCall",
    "NotRetried", "Page", "Purge", "QuarqError", "QueueInfo", "Reason", "ScheduleInfo", "Situation", "StepRow",
    "Wanted", "WorkerInfo", "audit", "awaiting", "backfill_schedule", "broker", "call_of", "change_limit",
    "check_event", "delete_schedule", "error_text", "events", "find", "forget_schedule", "get_schedule", "lapsed",
    "limit_key", "limit_list", "matching", "moments_to_backfill", "move", "note", "noted", "now", "overdue", "pause",
    "pause_limit", "pause_schedule", "pauses", "purge", "purge_queue", "purgeable", "put_schedule", "queue_names",
    "queues", "queues_named", "quiet", "reschedule", "resume", "resume_limit", "resume_schedule", "retry", "revoke",
    "rows_of", "run_from", "run_schedule", "running", "schedule_names", "schedules", "schedules_named", "send_event",
    "set_limit", "set_rate_limit", "shown_key", "shutdown", "situation", "steps", "text", "totals", "unfinished_calls",
    "waiting", "why", "workers",
]  # fmt: skip
