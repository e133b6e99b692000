"""`python -m tests.chaos [--short] [--seed N] [names]`: play scenarios, print what held; fail if a promise broke."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path

from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.stage import Check, staged

for module in (  # first those that wait longest, and then those that need the processor beside others
    "reminders", "crash", "digest", "limited", "schedules", "databases", "deploy", "released", "stall", "slow_mail",
    "redis_away", "races", "poison", "deadly", "durable", "workflows", "clock", "revoke", "web", "from_arq",
):  # fmt: skip
    import_module(f"tests.chaos.scenarios.{module}")


async def main() -> int:
    options = parse()
    if options.play:
        print(json.dumps([vars(check) for check in await play(SCENARIOS[options.play], options)]))
        return 0
    names = options.names or [name for name, s in SCENARIOS.items() if s.short or not options.short]
    names = [name for name in names if name not in options.but]
    print(f"seed {options.seed}", flush=True)
    broken = await broken_of(names, options, options.together)
    if broken and options.once_more:
        print("\nWhat broke is played once more, alone: a defect breaks twice, a slow machine seldom does.")
        broken = await broken_of(list(dict.fromkeys(name for name, _ in broken)), options, 1)
    print(f"\n{len(names)} scenarios, {len(broken)} broken promises (seed {options.seed})")
    for name, check in broken:
        print(f"    {name}: {check.must}: {check.measured}")
    return 1 if broken else 0


async def broken_of(names: list[str], options: argparse.Namespace, together: int) -> list[tuple[str, Check]]:
    """Play them; which promises of which of them did not hold."""
    limit = asyncio.Semaphore(together)
    played = await asyncio.gather(*(in_process(name, options, limit) for name in names))
    return [(name, check) for name, checks in zip(names, played, strict=True) for check in checks if not check.ok]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(SCENARIOS)}; all by default")
    parser.add_argument("--but", nargs="+", metavar="name", default=(), help="leave these out")
    parser.add_argument("--short", action="store_true", help="a tenth of the size, as `make test` does")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="to repeat a run")
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often each crash point of r26 is played (20: four hours)"
    )
    parser.add_argument("--together", type=int, default=1, help="scenarios at the same time (default 1)")
    parser.add_argument("--once-more", action="store_true", help="play once more what broke")
    parser.add_argument("--keep", action="store_true", help="keep the ledger and the workers' logs")
    parser.add_argument("--play", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := [name for name in options.names if not of_name(name)]:
        parser.error(f"no scenario named {unknown[0]!r}; there are: {', '.join(SCENARIOS)}")
    options.names = [scenario for name in options.names for scenario in of_name(name)]
    return options


def of_name(name: str) -> list[str]:
    """The scenario of that name; if there is none, those that begin with it: `r26` is all r26-..."""
    return [name] if name in SCENARIOS else [one for one in SCENARIOS if one.startswith(f"{name}-")]


async def in_process(name: str, options: argparse.Namespace, limit: asyncio.Semaphore) -> list[Check]:
    """A scenario in a process of its own: the default connection and the ledger belong to the process."""
    command = ["-m", "tests.chaos", "--play", name, "--seed", str(options.seed), "--rounds", str(options.rounds)]
    command += ["--short"] * options.short + ["--keep"] * options.keep
    async with limit:
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
    lines = output.decode().splitlines()
    try:
        checks = [Check(**check) for check in json.loads(lines[-1])]
    except (IndexError, ValueError):
        checks = [Check("the scenario plays to its end", f"exit code {process.returncode}", False)]
    print(f"\n{name}: {SCENARIOS[name].title} ({time.monotonic() - began:.0f} s)", *lines[:-1], sep="\n")
    for check in checks:
        print(f"    {check.must:52} {check.measured:38} {'ok' if check.ok else 'BROKEN'}")
    sys.stdout.flush()
    return checks


async def play(scenario: Scenario, options: argparse.Namespace) -> list[Check]:
    """A scenario that cannot go on is a broken promise as well, after those that it could check."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup, workers would inherit that it is ignored
    folder = Path(tempfile.mkdtemp(prefix=f"quarq-chaos-{scenario.name}-"))
    async with staged(folder, options.seed, short=options.short, rounds=options.rounds) as stage:
        try:
            await scenario.play(stage)
        except (Exception, asyncio.CancelledError) as error:
            traceback.print_exc()
            stage.check("the scenario plays to its end", f"{type(error).__name__}: {error}", False)
        checks = stage.checks
    if options.keep or not all(check.ok for check in checks):
        print(f"    ledger and logs: {folder}")
    else:
        shutil.rmtree(folder)
    return checks


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
