"""The tasks of this process, for tests that declare their own."""

from jobs.tasks import registry
from jobs.tasks.registry import RegisteredTask


def registered() -> dict[str, RegisteredTask]:
    """By every name, aliases too."""
    return dict(registry._tasks)


def forget(name: str) -> None:
    """Take a task out again with all its aliases."""
    task = registry.lookup(name)
    for alias in [alias for alias, known in registered().items() if known is task]:
        del registry._tasks[alias], registry._origins[alias]
