"""Tracebacks begin with the application's own code: what is above it is ours, and says nothing of the fault."""

import concurrent.futures.thread
import os
from pathlib import Path

_OURS = f"{Path(__file__).parents[2]}{os.sep}", concurrent.futures.thread.__file__
_CALLERS = {"Task.run", "Task.run_now", "finished", "ArqRunnable.run"}  # What of ours calls the code of an application.


def cut_our_head(error: BaseException) -> None:
    """Leave out our frames above the code of the application. An error that has come through no such code keeps all."""
    above = error.__traceback__
    while above is not None and (below := above.tb_next) is not None:
        caller, called = above.tb_frame.f_code, below.tb_frame.f_code
        if caller.co_qualname in _CALLERS and not called.co_filename.startswith(_OURS):
            error.__traceback__ = below
            return
        above = below
