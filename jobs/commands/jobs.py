"""`jobs`: what a query finds."""

from datetime import UTC, datetime

import click

from .. import monitor
from ..monitor_site import parse
from ..values.short_text import count, duration_text, time_text
from .frame import Answer, Context, command_body
from .values import limit_option

PATIENCE_S = 10.0


@click.command("jobs")
@click.argument("words", nargs=-1, metavar="[QUERY]")
@limit_option("Jobs", 50)
@command_body
async def jobs_command(context: Context, words: tuple[str, ...], limit: int) -> Answer:
    """The jobs that fit every word: 'task:shop.* state:failed customer_id:4711 took:>2s since:1h sort:took', or any
    text. Times of day are local. See the query line in docs/monitoring.md."""
    query, zone = parse(" ".join(words)), datetime.now().astimezone().tzinfo or UTC
    wanted = query.wanted(await monitor.now(context.redis), zone)
    page = await monitor.find(context.redis, wanted, limit=limit, patience_s=PATIENCE_S)
    lines = []
    for row in page.rows:
        took = "" if row.run_s is None else duration_text(row.run_s)
        words_of = (
            row.id,
            time_text(row.finished or row.started or row.due),
            row.state,
            f"{row.task or '?'}({row.args})",
        )
        lines.append("  ".join(filter(None, (*words_of, took, row.error))))
    more = f", and more behind {time_text(page.looked_back_to)}" if page.looked_back_to else ""
    return Answer(page.rows, lines, [f"{count(len(lines), 'job')}{more}."])
