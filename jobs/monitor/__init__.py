"""What pages, commands and metrics see of the jobs in a Redis, and what operators do about it."""

from jobs.client.job_info import Attempt, JobInfo
from jobs.errors import QuarqError
from jobs.monitor.actions import (
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
from jobs.monitor.audit_log import AuditEntry, AuditPage, audit, note, noted
from jobs.monitor.control import NotRetried, Purge, pause, purge, purge_queue, purgeable, resume, retry
from jobs.monitor.counters import Count, Minute, last_minutes, minutes, percentile, totals
from jobs.monitor.event_stream import Event, events
from jobs.monitor.job_detail import JobDetail, job
from jobs.monitor.job_row import JobRow
from jobs.monitor.queue_list import QueueInfo, queues, queues_named
from jobs.monitor.reasons import Reason
from jobs.monitor.redis_info import Broker, broker
from jobs.monitor.search import Page, find, running
from jobs.monitor.summary import Overview, overview
from jobs.monitor.task_list import TaskInfo, tasks
from jobs.monitor.worker_list import WorkerInfo
from jobs.monitor.worker_list import online as workers
from jobs.monitor.workflow_list import WorkflowNode, WorkflowPage, WorkflowRow, workflow, workflows
from jobs.schedules.stored_schedules import ScheduleInfo
from jobs.schedules.stored_schedules import listed as schedules
from jobs.values.short_text import text

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
