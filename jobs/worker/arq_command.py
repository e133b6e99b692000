"""Puts our Worker in the place of arq's, for arq's command line and settings classes."""

import inspect
from importlib import import_module

import arq
import arq.cli
import arq.worker

from ..errors import SettingsMistake
from .log_setup import log_config
from .worker import Worker
from .worker_options import WorkerOptions

SUPPORTED_ARQ = "0.28.0"


def use_our_worker() -> None:
    """Have arq's command line build our Worker. Guarded by the version: what we override is arq's private business."""
    if arq.VERSION != SUPPORTED_ARQ:
        raise SettingsMistake(f"arq {arq.VERSION} is installed; this library is made for arq {SUPPORTED_ARQ} exactly")
    arq.worker.Worker = arq.Worker = Worker  # type: ignore[misc,assignment]
    arq.cli.watch_reload = lambda *given: import_module("..contrib.watch", __package__).watch_reload(*given)
    arq.cli.default_log_config = log_config  # type: ignore[attr-defined]


_parameters = {**inspect.signature(arq.worker.Worker).parameters, **inspect.signature(WorkerOptions).parameters}
Worker.__signature__ = inspect.Signature(list(_parameters.values()))  # type: ignore[attr-defined]
"""arq reads a settings class by the names in this signature, so it must show arq's as well as ours."""
