"""The metrics by their names: rules and dashboards rely on each one's name, type and labels."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

Families = dict[str, tuple[str, set[str]]]
"""Type and labels by name."""

OF_JOBS: Families = {
    "quarq_jobs_finished_total": ("counter", {"task", "outcome"}),
    "quarq_jobs_retried_total": ("counter", {"task"}),
    "quarq_jobs_folded_total": ("counter", {"task"}),
    "quarq_job_wait_seconds": ("histogram", {"task"}),
    "quarq_job_run_seconds": ("histogram", {"task"}),
    "quarq_workers": ("gauge", {"queue"}),
    "quarq_queue_jobs": ("gauge", {"queue", "state"}),
    "quarq_queue_oldest_due_seconds": ("gauge", {"queue"}),
    "quarq_limit_waiting_jobs": ("gauge", {"task"}),
    "quarq_queue_paused": ("gauge", {"queue"}),
    "quarq_worker_slots": ("gauge", set()),
    "quarq_worker_slots_busy": ("gauge", set()),
    "quarq_schedule_last_run_timestamp_seconds": ("gauge", {"schedule"}),
    "quarq_schedule_overdue_seconds": ("gauge", {"schedule"}),
    "quarq_stored_schedules_overdue": ("gauge", set()),
    "quarq_stored_schedules_overdue_seconds": ("gauge", set()),
    "quarq_redis_memory_bytes": ("gauge", set()),
    "quarq_redis_memory_limit_bytes": ("gauge", set()),
    "quarq_redis_evicts": ("gauge", set()),
}
OF_A_PROCESS: Families = {
    "quarq_process_slots": ("gauge", set()),
    "quarq_process_slots_busy": ("gauge", set()),
    "quarq_process_jobs_held": ("gauge", set()),
    "quarq_process_quiet": ("gauge", set()),
    "quarq_process_memory_bytes": ("gauge", set()),
    "quarq_process_jobs_started_total": ("counter", set()),
    "quarq_process_attempts_total": ("counter", {"outcome"}),
}
OF_THE_SITE: Families = {
    "quarq_up": ("gauge", {"part"}),
    "quarq_mails": ("gauge", {"kind", "state"}),
    "quarq_digest_unfinished_seconds": ("gauge", set()),
}


def families(text: str) -> Families:
    """What a scrape has, with samples for each."""
    found = {
        f"{family.name}_total" if family.type == "counter" else family.name: (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in text_string_to_metric_families(text)
        if family.samples
    }
    named = dict(re.findall("^# TYPE (.+) (.+)$", text, re.MULTILINE))
    assert named == {name: kind for name, (kind, _) in found.items()}  # nothing that prometheus_client adds by itself
    return found
