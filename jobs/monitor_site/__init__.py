"""What the pages of the monitor alone show: one job with everything that is known of it, and the whole at a glance."""

from .job_detail import JobDetail, job
from .summary import Overview, overview

__all__ = ["JobDetail", "Overview", "job", "overview"]
