"""`control`: change what workers do, at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click

from jobs import workers
from jobs.commands.frame import UNAVAILABLE, Answer, Asked, asks
from jobs.control import pause, resume
from jobs.errors import SettingsMistake
from jobs.result import Result


@click.command("control")
@click.argument("action", type=click.Choice(["revoke", "rate_limit", "pause", "resume", "quiet", "shutdown"]))
@click.argument("words", nargs=-1, metavar="[WORDS]...")
@click.option("--terminate", is_flag=True, help="revoke: stop it if it runs.")
@asks
async def command(asked: Asked, action: str, words: tuple[str, ...], terminate: bool) -> Answer:
    """Change what workers do.

    \b
    revoke ID...            never start these jobs; with --terminate, stop them
    rate_limit TASK RATE    10/s, 5/m, 100/h or none; for all workers, for good
    pause QUEUE...          claim nothing more of these queues
    resume QUEUE...         claim again
    quiet                   claim no more; what runs goes on (-d: only these workers)
    shutdown                end what runs, then end (-d: only these workers)
    """
    if terminate and action != "revoke":
        raise click.UsageError("--terminate goes with revoke")
    return await _ACTIONS[action](asked, words, terminate)


async def _revoke(asked: Asked, ids: tuple[str, ...], terminate: bool) -> Answer:
    _need(ids, "the ids of jobs")
    states = {job_id: await Result(job_id, asked.redis).revoke(terminate) for job_id in ids}
    for job_id, state in states.items():
        await asked.note("terminate" if terminate else "revoke", job_id, _revoked(state, terminate))
    ended = {"SUCCESS", "FAILURE", "REVOKED", "UNKNOWN"}
    lines = [f"{job_id}: {_revoked(state, terminate)}" for job_id, state in states.items()]
    return Answer(states, lines, code=int(ended.issuperset(states.values())))


async def _rate_limit(asked: Asked, words: tuple[str, ...], _: bool) -> Answer:
    if len(words) != 2:
        raise click.UsageError("give a task and its rate: control rate_limit app.mail 10/m")
    task, rate = words
    try:
        await asked.redis.set_rate_limit(task, None if rate == "none" else rate)
    except SettingsMistake as error:
        raise click.UsageError(str(error)) from error
    await asked.note("change rate limit", task, rate)
    return Answer({"task": task, "rate_limit": rate}, [f"{task}: {rate}"])


async def _pause(asked: Asked, queues: tuple[str, ...], _: bool) -> Answer:
    _need(queues, "queues")
    changed = {queue: await pause(asked.redis, queue) for queue in queues}
    said = {queue: "paused" if new else "was paused already" for queue, new in changed.items()}
    return await _noted(asked, "pause queue", changed, said)


async def _resume(asked: Asked, queues: tuple[str, ...], _: bool) -> Answer:
    _need(queues, "queues")
    changed = {queue: await resume(asked.redis, queue) for queue in queues}
    said = {queue: "resumed" if new else "was not paused" for queue, new in changed.items()}
    return await _noted(asked, "resume queue", changed, said)


async def _tell(word: str, asked: Asked, words: tuple[str, ...]) -> Answer:
    if words:
        raise click.UsageError(f"{word} takes no {words[0]!r}: name workers with -d")
    heard = {w.name: await workers.tell(asked.redis, w.name, word) for w in await asked.workers()}
    said = {name: "OK" if ok else "does not listen" for name, ok in heard.items()}
    code = 0 if all(heard.values()) else UNAVAILABLE
    return await _noted(asked, _OF_A_WORKER[word], heard, said, code)


async def _noted(
    asked: Asked, what: str, data: dict[str, bool], said: dict[str, str], code: int = 0
) -> Answer:
    """The answer, with a line in the audit for each target."""
    for target, result in said.items():
        await asked.note(what, target, result)
    return Answer(data, [f"{target}: {result}" for target, result in said.items()], code=code)


_OF_A_WORKER = {"quiet": "quiet worker", "shutdown": "stop worker"}


_ACTIONS: dict[str, Callable[[Asked, tuple[str, ...], bool], Awaitable[Answer]]] = {
    "revoke": _revoke,
    "rate_limit": _rate_limit,
    "pause": _pause,
    "resume": _resume,
    "quiet": lambda asked, words, _: _tell("quiet", asked, words),
    "shutdown": lambda asked, words, _: _tell("shutdown", asked, words),
}


def _need(words: tuple[str, ...], what: str) -> None:
    if not words:
        raise click.UsageError(f"give {what}")


def _revoked(state: str, terminate: bool) -> str:
    if state in ("SUCCESS", "FAILURE", "REVOKED"):
        return f"had ended: {state}"
    if state == "UNKNOWN":
        return "UNKNOWN"
    if state == "STARTED":
        return "is being stopped" if terminate else "runs, and will not be retried"
    return "revoked"
