"""The English of the pages, in one place: what each page says of itself, and the sentences of the code.

Every other test looks for states and codes (`tests/app/marks.py`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from quart import Quart

from settings import ROOT
from tests.app.routes import furnish
from tests.app.visitor import Visitor, words

PAGES = {
    "/": "A blog. Read it here,",
    "/about": "Quarq is a blog. It also sends two kinds of email:",
    "/sign-in": "We email you a link that works once and expires in 10 minutes.",
    "/subscribe": "New posts by email, once a week.",
    "/privacy": "It does not track visits and loads nothing from other sites.",
    "/issues/": "The weekly digest of Quarq, with its posts as they are now.",
    "/search?q=nothing-like-it": "No posts match nothing-like-it .",
    "/nowhere": "This page does not exist, or it is not yours.",
}
"""What a stranger reads."""
OF_ALICE = {
    "/account": "Signed in as alice@example.org .",
    "/account/data": "This is immediate and permanent.",
    "/reminders/new": "We ask anybody else for consent by email first, and send nothing before they agree.",
    "/playground/order": "One task charges a card, prints a label, emails you a link and waits for your answer",
    "/consents/": "Nobody has asked to send you reminders.",
    "/digest/": "Only the owner of the site can open this page.",
}
"""What Alice reads, who has set a reminder and asked bob@example.org."""
OF_OWNER = {
    "/account": "Signed in as owner@localhost , the owner of this site.",
    "/reminders/": "No upcoming reminders. Your reminders are sent to owner@localhost .",
    "/posts/drafts": "No drafts. Everything you wrote is published.",
    "/pictures": "JPEG, PNG, GIF or WebP, up to 10 MB. Place and camera are removed;",
    "/posts/new": "Markdown: **bold**, *italic*, # heading",
    "/digest/": "1 new post for 1 subscriber . It is sent every Saturday at 10:00 (UTC).",
    "/digest/run": "You can undo this for 30 seconds. After that, sent emails cannot be recalled.",
    "/digest/0/preview": "Preview of issue 2",
    "/subscribers": "The next digest goes to 1 subscriber on",
    "/subscribers/import": "Each address that the site does not know gets one email,",
    "/playground/": "Each button runs the code above it on the workers of this site.",
    "/monitor/": "No worker is online, so no job starts. Start one with arq worker.WorkerSettings .",
    "/monitor/jobs": "No jobs yet.",
    "/monitor/jobs?q=task:none": "No jobs match these filters.",
    "/monitor/errors": "No open errors.",
    "/monitor/errors?state=all": "No errors.",
    "/monitor/jobs?q=took:2": "took:2: write 2s, 300ms, 5m or 1h, behind > or <",
    "/monitor/workers": "No worker is online. Start one with arq worker.WorkerSettings .",
    "/monitor/worker?name=gone": "This worker is offline: it has stopped or lost its connection.",
    "/monitor/tasks": "No tasks. Workers declare them when they start.",
    "/monitor/versions": "No worker has reported a version. Set version in its worker settings,",
    "/monitor/queues": "No queues: no job is waiting, and no worker is online.",
    "/monitor/schedules": "No schedules. Declare them in a worker with cron_jobs=[...] , or store one",
    "/monitor/workflows": "No workflows. Groups, chains and chords are listed here.",
    "/monitor/audit": "Actions by people and by the command line, newest first.",
    "/monitor/job?id=none": "Nothing with this name or id exists, or its record has expired.",
}
"""What the owner reads, while no worker runs."""
MAILED = {
    "/consents/1/{consent}": "alice@example.org would like to send reminders to bob@example.org through Quarq.",
    "/no-more/1/{stop}": "This stops them immediately. The sender sees that you stopped them.",
    "/unsubscribe/1/{subscriber}": "Stop sending the weekly digest to reader@example.org ?",
    "/playground/order/1/12345678/{order}": "This order has ended, and its record was deleted.",
    "/sign-in/{link}": "You are about to sign in as new@example.org .",
}
"""What is read behind a mailed link, by the part of its address that differs."""
STILTED = re.compile(
    r"\b(told|whoever|mend|dear|put away|look in|look into|so many|what came of it|mail address|e-mail"
    r"|from now\.|later self|goes to .* once you|back to the drafts|give a later|what was published|somebody with this"
    r"|every mail of this site|failed last|the oldest for|from due to|by how they ended|no retry any more|it runs again"
    r"|is told|go on from|not called yet|known to \d|at once: no limit|those that failed|empty …|look again"
    r"|look further|looked at everything|no job fits|nothing to change|what was done|who has not got"
    r"|ask for the next)\b",
    re.IGNORECASE,
)
"""Words that nobody says, and the sentences that had them."""
UNIT = re.compile(r"{[^{}]*}\)? (s|sec|seconds?|minutes?|hours?)\b")
"""A unit behind a number that varies is wrong for 1 and hard to read for 1440: `times.wait` chooses it."""
SHOWN = re.compile(
    r"<(?:h[1-3]|button|label|summary|th|dt)\b[^>]*>([^<{]+)|forms\.(?:field|select)\(\"\w+\", \"([^\"]+)"
    r"|forms\.action\(.*?\), \"([^\"]+)"
)
"""Headings, names of fields and words on buttons."""
NAMES = {"HTML", "JSON", "Quarq", "Redis", "Markdown", "I", "ID"}
"""Words with a capital inside a sentence."""
CLASSES = {"Message", "Refused", "AddressRefused", "TextRefused", "NotATime"}
PARTS = (ROOT / "app", ROOT / "jobs" / "monitor_site")
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


async def test_each_page_says_what_it_is_for(app: Quart, visitor: Visitor, alice: Visitor, owner: Visitor) -> None:
    paths = {route.path for route in await furnish(app)}

    for reader, table in ((visitor, PAGES), (alice, OF_ALICE), (owner, OF_OWNER)):
        for path, sentence in table.items():
            await reader.get(path)
            assert sentence in words(reader), path
    for pattern, sentence in MAILED.items():
        [path] = [path for path in paths if re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path)]
        await visitor.get(path)
        assert sentence in words(visitor), path


def test_sentences_of_the_code_are_sentences_with_codes() -> None:
    found = [*messages()]

    assert len(found) > 80
    for path, code, sentence in found:
        assert CODE.fullmatch(code), (path, code)
        assert sentence[:1].isupper() or sentence.startswith("{"), (path, sentence)
        assert sentence.endswith((".", "}")), (path, sentence)
        assert not STILTED.search(sentence), (path, sentence)
        assert not UNIT.search(sentence), (path, sentence)


def test_no_template_has_a_stilted_word() -> None:
    templates = [path for part in PARTS for end in ("html", "txt") for path in part.rglob(f"templates/**/*.{end}")]

    assert len(templates) > 50
    assert [(str(path), found[0]) for path in templates if (found := STILTED.search(path.read_text()))] == []


def test_headings_fields_and_buttons_are_in_sentence_case() -> None:
    found = [
        (str(path), next(filter(None, match.groups())))
        for path in (ROOT / "app").rglob("templates/**/*.html")
        for match in SHOWN.finditer(path.read_text())
    ]

    assert len(found) > 80
    for path, label in found:
        first, *others = [*label.split(), "-"]
        assert first[:1] == first[:1].upper(), (path, label)
        assert not [word for word in others if word[:1].isupper() and word.strip("?.,:") not in NAMES], (path, label)


def messages() -> Iterator[tuple[Path, str, str]]:
    """File, code and sentence of each Message, and of each refusal, with `{}` for what varies."""
    for path in (path for part in PARTS for path in part.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in CLASSES:
                continue
            code, sentence = node.args
            if isinstance(code, ast.Constant) and (text := written(sentence)):
                yield path, str(code.value), text


def written(node: ast.expr) -> str:
    """A literal text, with `{}` for what varies; empty if it is none."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""
