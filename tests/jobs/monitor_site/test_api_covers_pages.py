"""Nothing that pages show or do is missing from the API."""

from __future__ import annotations

from jobs import monitor_app
from jobs.monitor_site.api.endpoints import ENDPOINTS

QUESTION = "a question before an action: the API's addresses act at once, and plans say first what they would do"
ANSWERED_BY = {
    "GET /": "GET /overview",
    "GET /ask": QUESTION,
    "GET /audit": "GET /audit",
    "GET /broker": "GET /broker",
    "GET /error": "GET /errors/{id}",
    "GET /awaiting": "GET /awaiting",
    "GET /errors": "GET /errors",
    "GET /job": "GET /jobs/{id}",
    "GET /job/edit": "GET /jobs/{id}/arguments",
    "GET /jobs": "GET /jobs",
    "GET /many": "an empty form",
    "GET /many/plan": "GET /plans/{id}",
    "GET /queue/purge": QUESTION,
    "GET /queues": "GET /queues",
    "GET /schedule/backfill": QUESTION,
    "GET /schedule/run": QUESTION,
    "GET /scheduled": "GET /jobs",
    "GET /schedules": "GET /schedules",
    "GET /task": "GET /tasks/{name}",
    "GET /task/run": "GET /tasks/{name}/parameters",
    "GET /tasks": "GET /tasks",
    "GET /versions": "GET /versions, GET /comparison",
    "GET /worker": "GET /workers/{name}",
    "GET /worker/stack": "GET /workers/{name}/stacks",
    "GET /workers": "GET /workers",
    "GET /workflow": "GET /workflows/{id}",
    "GET /workflows": "GET /workflows",
    "POST /error/mark": "POST /errors/{id}/mark",
    "POST /job/answer": "POST /jobs/{id}/answer",
    "POST /job/event": "POST /jobs/{id}/events",
    "POST /job/run-from": "POST /jobs/{id}/run-from",
    "POST /job/edit": "POST /jobs/{id}/run-again",
    "POST /job/reschedule": "POST /jobs/{id}/reschedule",
    "POST /job/retry": "POST /jobs/{id}/retry",
    "POST /job/revoke": "POST /jobs/{id}/revoke",
    "POST /many/go-on": "POST /plans/{id}/go-on",
    "POST /many/plan": "POST /plans",
    "POST /many/start": "POST /plans/{id}/start",
    "POST /many/stop": "POST /plans/{id}/stop",
    "POST /queue/pause": "POST /queues/{name}/pause",
    "POST /queue/purge": "POST /queues/{name}/purge",
    "POST /queue/resume": "POST /queues/{name}/resume",
    "POST /schedule/backfill": "POST /schedules/{name}/backfill",
    "POST /schedule/delete": "POST /schedules/{name}/delete",
    "POST /schedule/forget": "POST /schedules/{name}/forget",
    "POST /schedule/pause": "POST /schedules/{name}/pause",
    "POST /schedule/resume": "POST /schedules/{name}/resume",
    "POST /schedule/run": "POST /schedules/{name}/run",
    "POST /task/rate": "POST /tasks/{name}/rate-limit",
    "GET /task/limits": "GET /tasks/{name}/limits",
    "POST /task/limit": "POST /tasks/{name}/limits",
    "POST /task/run": "POST /tasks/{name}/call",
    "POST /worker/quiet": "POST /workers/{name}/quiet",
    "POST /worker/stop": "POST /workers/{name}/stop",
    "POST /zone": "the zone of a browser: times of the API are in UTC",
}
"""Each address of pages: the ones of the API, or why there is none."""


def test_every_page_is_answered_by_the_api() -> None:
    app = monitor_app("redis://localhost")
    pages = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST"}
        if rule.endpoint.startswith("monitor.")
    }

    assert ANSWERED_BY.keys() == pages, "name the address of the API for it, see jobs/monitor_site/api/__init__.py"
    known = {f"{one.method} {one.path}" for one in ENDPOINTS}
    for page, answer in ANSWERED_BY.items():
        if answer.startswith(("GET", "POST")):
            assert set(answer.split(", ")) <= known, page
