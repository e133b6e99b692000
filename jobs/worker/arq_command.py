"""Puts our Worker in the place of arq's, for arq's command line and settings classes."""

import inspect
import logging
from typing import Any

import arq
import arq.cli
import arq.worker
from arq.logs import default_log_config

from ..errors import SettingsMistake
from .watch import watch_reload
from .worker import Worker
from .worker_options import WorkerOptions

SUPPORTED_ARQ = "0.28.0"


def use_our_worker() -> None:
    """Have arq's command line build our Worker: it looks the name up when it starts one.

    Guarded by the version, because everything that we override is arq's private business.
    """
    if arq.VERSION != SUPPORTED_ARQ:
        raise SettingsMistake(f"arq {arq.VERSION} is installed; this library is made for arq {SUPPORTED_ARQ} exactly")
    arq.worker.Worker = arq.Worker = Worker  # type: ignore[misc,assignment]
    arq.cli.watch_reload = watch_reload
    arq.cli.default_log_config = log_config  # type: ignore[attr-defined]


def log_config(verbose: bool) -> dict[str, Any]:
    """What arq's command line does without `--custom-log-dict`: every logger's INFO lines go to stderr, arq's with
    *verbose* its DEBUG lines too. Handlers that the application has added are left alone, and get arq's lines as well.
    """
    config = default_log_config(verbose)
    level = config["loggers"]["arq"].pop("level")
    if any(logging.getLogger(name).handlers for name in (None, "arq", "arq.worker", "arq.worker.jobs")):
        return {"version": 1, "incremental": True, "loggers": {"arq": {"level": level}} if verbose else {}}
    root = {"handlers": config["loggers"]["arq"].pop("handlers"), "level": "INFO"}
    return {**config, "root": root, "loggers": {"arq": {"level": level}}}


_parameters = {
    **inspect.signature(arq.worker.Worker.__init__).parameters,
    **inspect.signature(WorkerOptions).parameters,
}
_parameters.pop("self")
Worker.__signature__ = inspect.Signature(list(_parameters.values()))  # type: ignore[attr-defined]
"""arq reads a settings class by the names in this signature, so it must show arq's as well as ours."""
