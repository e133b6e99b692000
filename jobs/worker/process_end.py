"""The end of a worker's process that cannot wait: for a thread, or for a loop that is stuck."""

import logging
import os
import sys
from typing import NoReturn

REPORTS_S = 2
"""How long reports to Sentry may take, if the application uses it."""


def end_process(code: int) -> NoReturn:
    """End at once, but for what is logged and reported: that is written."""
    if (sentry := sys.modules.get("sentry_sdk")) is not None:
        sentry.flush(timeout=REPORTS_S)
    logging.shutdown()
    os._exit(code)
