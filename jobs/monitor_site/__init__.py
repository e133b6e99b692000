"""The monitor: one ASGI application of pages over a Redis with jobs, for hosts that mount it (`application.py`).

**To add a page** `x`:

- `pages/x_page.py`: a view on `blueprint` (from `..routes`), named `x`, that ends with
  `return await live.page("monitor/x.html", look)`. `look()` reads with `redis()` from `..options`; it is run again and
  again for live pages. Ids and names come through `request_args`.
- `templates/monitor/x.html`: extends `layout`, sets `heading`, fills the block `live` (what changes), and `above` (what
  does not, such as forms with fields). Macros for rows, links, times and buttons are in `parts.html`; filters in
  `wording.py`. Write addresses only with `url_for`: the application may be mounted anywhere.
- The section's link, and its figure: `shell.py`. A page of one thing sets `section` to its list. Numbers of
  the whole come from `shell.reading()`, so that all on one screen are of one moment. Jobs that fit something are
  linked to by `find_url(...)`.
- What it reads: a dataclass, from a module in this folder (as `summary.py`) if only pages and the API need it, else
  from `model/`, which commands read too, as `jobs.monitor`.
- Its part of the API: a function in `api/paths/` that returns the same dataclass, see `api/__init__.py`.
- An action: a POST view that ends with `return await act("what", target, do, then)` (`acting.py`): it is refused for
  who may not act, needs the form's word, and writes the audit entry. Buttons: `parts.act(...)`, which shows nothing to
  who may not act; put other forms in `{% if can_act %}`. What destroys or mails asks first: a GET page that begins with
  `viewers.require_acting()`.
- Rows in `docs/pages.md` and `tests/app/test_mail_limits.py` (does it mail?), sentences in `tests/app/test_wording.py`.
  Tests are in `tests/jobs/monitor_site/`.

Scripts and styles are files in `static/`: the policy refuses inline ones. Nothing is read from or kept in SQL, and
nothing but the viewer's name and zone is known of people.
"""

from .argument_names import search_hint
from .bulk_plan import Plan, plan, read_plan
from .bulk_start import confirm, start
from .drawn_tree import NOT_CALLED, tree_lines
from .editable_call import run_again
from .error_groups import ErrorGroup, error, errors, mark_error, span_of
from .forecasting import Forecast, queue_forecasts
from .job_count import count
from .job_detail import JobDetail, job
from .job_stacks import JobStack, Place, stacks
from .plain_json import plain
from .query import Query, parse
from .ranges import HOUR, RANGES, Interval, Range, Totals, history, summed, totals_between
from .reruns import original_of, reruns_of
from .schedule_words import in_words
from .seen_versions import Change, Comparison, Version, compare, versions
from .spent_time import Part
from .step_times import StepTimes, every, times_of
from .stored_timeline import timeline
from .stuck import LongRun, LostWorker, long_runs, lost_workers
from .summary import Overview, Unknown, overview
from .task_list import SORTS, TaskInfo, tasks
from .workflow_list import WorkflowRow, workflows
from .workflow_steps import SKIPPED, Step
from .workflow_times import Timeline

__all__ = [
    "HOUR", "NOT_CALLED", "RANGES", "SKIPPED", "SORTS", "Change", "Comparison", "ErrorGroup", "Forecast", "Interval",
    "JobDetail", "JobStack", "LongRun", "LostWorker", "Overview", "Part", "Place", "Plan", "Query", "Range", "Step",
    "StepTimes", "TaskInfo", "Timeline", "Totals", "Unknown", "Version", "WorkflowRow", "compare", "confirm", "count",
    "error", "errors", "every", "history", "in_words", "job", "long_runs", "lost_workers", "mark_error", "original_of",
    "overview", "parse", "plain", "plan", "queue_forecasts", "read_plan", "reruns_of", "run_again", "search_hint",
    "span_of", "stacks", "start", "summed", "tasks", "timeline", "times_of", "totals_between", "tree_lines", "versions",
    "workflows",
]  # fmt: skip
