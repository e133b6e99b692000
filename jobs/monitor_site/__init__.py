"""What pages show, and a few commands: all that is known of one job, where a workflow's time went, the whole."""

from .job_detail import JobDetail, job
from .spent_time import Part
from .stored_timeline import timeline
from .summary import Overview, overview
from .workflow_times import Timeline

__all__ = ["JobDetail", "Overview", "Part", "Timeline", "job", "overview", "timeline"]
