"""What pages, commands and metrics see of the jobs in a Redis, and what operators do about it."""

from ..client.job_info import Attempt, JobInfo
from ..errors import NotRetried, QuarqError
from ..schedules.stored_schedules import ScheduleInfo
from ..schedules.stored_schedules import listed as schedules
from ..values.short_text import text
from .actions import (
    forget_schedule,
    pause_schedule,
    quiet,
    reschedule,
    resume_schedule,
    revoke,
    run_schedule,
    set_rate_limit,
    shutdown,
)
from .audit_log import AuditEntry, AuditPage, audit, note, noted
from .control import Purge, pause, purge, purge_queue, purgeable, resume, retry
from .counters import Count, Minute, last_minutes, minutes, percentile, totals
from .event_stream import Event, events
from .job_detail import JobDetail, job
from .job_row import JobRow
from .queue_list import QueueInfo, queues, queues_named
from .reasons import Reason
from .redis_info import Broker, broker
from .search import Page, find, running
from .summary import Overview, overview
from .task_list import TaskInfo, tasks
from .worker_list import WorkerInfo
from .worker_list import online as workers
from .workflow_list import WorkflowNode, WorkflowPage, WorkflowRow, workflow, workflows

__all__ = [
    "Attempt", "AuditEntry", "AuditPage", "Broker", "Count", "Event", "JobDetail", "JobInfo", "JobRow",
    "Minute", "NotRetried", "Overview", "Page", "Purge", "QuarqError", "QueueInfo", "Reason",
    "ScheduleInfo", "TaskInfo", "WorkerInfo", "WorkflowNode", "WorkflowPage", "WorkflowRow", "audit",
    "broker", "events", "find", "forget_schedule", "job", "last_minutes", "minutes", "note", "noted",
    "overview", "pause", "pause_schedule", "percentile", "purge", "purge_queue", "purgeable", "queues",
    "queues_named", "quiet", "reschedule", "resume", "resume_schedule", "retry", "revoke", "run_schedule",
    "running", "schedules", "set_rate_limit", "shutdown", "tasks", "text", "totals", "workers",
    "workflow", "workflows",
]  # fmt: skip
