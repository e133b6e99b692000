"""What pages, commands and metrics see of the jobs in a Redis, and what operators do about it."""

from jobs.client.job_info import Attempt, JobInfo
from jobs.control import NotRetried, Purge, pause, purge, purge_queue, purgeable, resume, retry
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
from jobs.monitor.audit import AuditEntry, AuditPage, audit, note, noted
from jobs.monitor.broker import Broker, broker
from jobs.monitor.counters import Count, Minute, last_minutes, minutes, percentile, totals
from jobs.monitor.events import Event, events
from jobs.monitor.find import Page, find, running
from jobs.monitor.job import JobDetail, job
from jobs.monitor.overview import Overview, overview
from jobs.monitor.queues import QueueInfo, queues, queues_named
from jobs.monitor.rows import JobRow
from jobs.monitor.tasks import TaskInfo, tasks
from jobs.monitor.workflows import WorkflowNode, WorkflowPage, WorkflowRow, workflow, workflows
from jobs.schedules.stored_schedules import ScheduleInfo
from jobs.schedules.stored_schedules import listed as schedules
from jobs.values.short_text import text
from jobs.why import Reason
from jobs.workers import WorkerInfo
from jobs.workers import online as workers

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
