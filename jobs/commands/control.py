"""`control`: change what workers do, at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial

import click

from jobs import checks, workers
from jobs.commands.frame import UNAVAILABLE, Answer, Asked, asks
from jobs.connection import JobsRedis
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
    what = "terminate" if terminate else "revoke"
    states = {
        job_id: await asked.noted(
            what,
            job_id,
            partial(Result(job_id, asked.redis).revoke, terminate),
            partial(_revoked, terminate=terminate),
        )
        for job_id in ids
    }
    ended = {"SUCCESS", "FAILURE", "REVOKED", "UNKNOWN"}
    lines = [f"{job_id}: {_revoked(state, terminate)}" for job_id, state in states.items()]
    return Answer(states, lines, code=int(ended.issuperset(states.values())))


async def _rate_limit(asked: Asked, words: tuple[str, ...], _: bool) -> Answer:
    if len(words) != 2:
        raise click.UsageError("give a task and its rate: control rate_limit app.mail 10/m")
    task, rate = words
    checks.name("TASK", task)
    limit = partial(asked.redis.set_rate_limit, task, None if rate == "none" else rate)
    try:
        await asked.noted("change rate limit", task, limit, lambda _: rate)
    except SettingsMistake as error:
        raise click.UsageError(str(error)) from error
    return Answer({"task": task, "rate_limit": rate}, [f"{task}: {rate}"])


async def _pause(asked: Asked, queues: tuple[str, ...], _: bool) -> Answer:
    _need(queues, "queues")
    return await _each(asked, "pause queue", queues, pause, ("paused", "was paused already"))


async def _resume(asked: Asked, queues: tuple[str, ...], _: bool) -> Answer:
    _need(queues, "queues")
    return await _each(asked, "resume queue", queues, resume, ("resumed", "was not paused"))


async def _tell(word: str, asked: Asked, words: tuple[str, ...]) -> Answer:
    if words:
        raise click.UsageError(f"{word} takes no {words[0]!r}: name workers with -d")
    names = [worker.name for worker in await asked.workers()]
    tell = partial(workers.tell, word=word)
    answer = await _each(asked, _OF_A_WORKER[word], names, tell, ("OK", "does not listen"))
    return replace(answer, code=0 if all(answer.data.values()) else UNAVAILABLE)


async def _each(
    asked: Asked,
    what: str,
    targets: Iterable[str],
    do: Callable[[JobsRedis, str], Awaitable[bool]],
    words: tuple[str, str],
) -> Answer:
    """Do it to each target, with a line in the audit for each; *words* say whether it was done."""

    def said(done: bool) -> str:
        return words[0] if done else words[1]

    changed = {
        target: await asked.noted(what, target, partial(do, asked.redis, target), said) for target in targets
    }
    return Answer(changed, [f"{target}: {said(done)}" for target, done in changed.items()])


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
    if not words or not all(word.strip() for word in words):
        raise click.UsageError(f"give {what}")


def _revoked(state: str, terminate: bool) -> str:
    if state in ("SUCCESS", "FAILURE", "REVOKED"):
        return f"had ended: {state}"
    if state == "UNKNOWN":
        return "UNKNOWN"
    if state == "STARTED":
        return "is being stopped" if terminate else "runs, and will not be retried"
    return "revoked"
