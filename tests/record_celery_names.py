"""Writes `celery_names.json`, what `docs/celery-features.md` has to have a line for.

Run it where Celery and Flower are installed: `pip install 'celery[redis]' flower`, then
`python tests/record_celery_names.py`. The tests read the file alone.
"""

import json
import pkgutil
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("celery_names.json")


def public(*classes: type, but: type = object) -> list[str]:
    return [name for cls in classes for name in dir(cls) if not name.startswith("_") and not hasattr(but, name)]


def options_of(command: Any) -> list[str]:
    return [word for option in command.params for word in [*option.opts, *option.secondary_opts] if word[:2] == "--"]


def routes_of_flower() -> Iterable[str]:
    from flower import urls

    for handler in urls.handlers:
        route = handler[0] if isinstance(handler, tuple) else handler.regex.pattern
        yield re.sub(r"\(\.[*+]\)|\$$|/\?$", "", route) if route != ".*" else "/"


def names() -> dict[str, list[str]]:
    import celery
    from celery import Celery, Task, bootsteps, canvas, contrib, exceptions, fixups, result, schedules, signals, states
    from celery.app import autoretry, backends, defaults
    from celery.app.task import Context
    from celery.bin.celery import celery as program
    from celery.concurrency import ALIASES
    from celery.worker import control
    from kombu import serialization, transport

    source = Path(autoretry.__file__).read_text() + Path(sys.modules[Celery.__module__].__file__ or "").read_text()
    actions = control.Panel.meta.items()
    commands = {name: command for name, command in program.commands.items() if name not in ("inspect", "control")}
    everything = "".join(path.read_text() for path in Path(defaults.__file__).parents[1].rglob("*.py"))
    return {
        "module": re.findall(
            r"'(\w+)'", Path(celery.__file__).read_text().partition("__all__ = (")[2].partition(")")[0]
        ),
        "task": public(Task),
        "decorator": [
            *re.findall(r"options\.get\(\s*'(\w+)'", source),
            *("base", "bind", "lazy", "pydantic", "pydantic_strict", "pydantic_context", "pydantic_dump_kwargs"),
        ],
        "request": public(Context, but=dict),
        "call": ["args", "kwargs", *re.findall(r"^ {12}(\w+) \(", Task.apply_async.__doc__ or "", re.M)],
        "result": public(result.AsyncResult, result.GroupResult),
        "canvas": canvas.__all__,
        "signature": public(
            canvas.Signature, canvas.group, canvas.chain, canvas.chord, canvas.chunks, canvas.xmap, but=dict
        ),
        "app": public(Celery),
        "settings": [name for name, _ in defaults.flatten(defaults.NAMESPACES)],
        "signals": signals.__all__,
        "states": [name for name in vars(states) if name.isupper() and isinstance(getattr(states, name), str)],
        "schedules": [*schedules.__all__, "minute", "hour", "day_of_week", "day_of_month", "month_of_year", "relative"],
        "entries": ["task", "schedule", "args", "kwargs", "options", "relative"],
        "exceptions": exceptions.__all__,
        "programs": [*commands, *options_of(program)],
        "worker": options_of(program.commands["worker"]),
        "beat": options_of(program.commands["beat"]),
        "inspect": [name for name, action in actions if action.type == "inspect"],
        "control": [name for name, action in actions if action.type == "control"],
        "command options": [
            f"{name} {option}"
            for name in ("call", "control", "events", "inspect", "purge", "result", "status")
            for option in options_of(program.commands[name])
        ],
        "events": re.findall(r"'((?:task|worker)-[a-z]+)'", everything),
        "serializers": [*serialization.registry.name_to_type, "yaml"],  # which needs one more package
        "brokers": list(transport.TRANSPORT_ALIASES),
        "backends": list(backends.BACKEND_ALIASES),
        "pools": list(ALIASES),
        "extensions": [
            *(f"celery.bootsteps.{name}" for name in bootsteps.__all__),
            *(f"celery.contrib.{module.name}" for module in pkgutil.iter_modules(contrib.__path__)),
            *(f"celery.fixups.{module.name}" for module in pkgutil.iter_modules(fixups.__path__)),
        ],
        "flower": list(routes_of_flower()),
    }


def main() -> None:
    from celery import __version__
    from flower import __version__ as flower_version

    recorded = {"version": f"Celery {__version__}, Flower {flower_version}"}
    for group, found in names().items():
        recorded[group] = ", ".join(sorted(set(found), key=lambda name: (name.lower(), name)))
    FILE.write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
