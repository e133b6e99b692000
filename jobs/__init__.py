"""Background tasks, workflows and schedules for asyncio, on Redis: Celery's words, awaited."""

from jobs.by_name import send_task, signature
from jobs.canvas import Signature, chain, chord, group
from jobs.connection import JobsRedis, connect
from jobs.current import CurrentJob, current_job
from jobs.decorator import Task, task
from jobs.race import first
