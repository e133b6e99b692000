"""Background tasks, workflows and schedules for asyncio, on Redis: Celery's words, awaited."""
