"""Whatever stands in Redis is shown as text: in arguments, errors, results, names of tasks, queues, workers, ids."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from jobs import JobsRedis, monitor, monitor_site, send_task
from jobs.monitor_site.query import Term
from tests.app.visitor import Visitor
from tests.jobs.monitor_site.shop import echo, fail, shop_worker
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</td></tr></table><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<!--<script>alert(1)--></script>",
    "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<form action=javascript:alert(1)><button>x",
    "<math><a xlink:href=javascript:alert(1)>x",
    "<details open ontoggle=alert(1)>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example>",
    "<object data=javascript:alert(1)>",
    "<body onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "${alert(1)}",
    "\\u003cscript\\u003ealert(1)",
    "&lt;script&gt;alert(1)",
    "%3Cscript%3Ealert(1)",
    "<scr<script>ipt>alert(1)",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<x onclick=alert(1)>",
    "<input type=hidden name=csrf_token value=x>",
    "<plaintext>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "data: x\n\nevent: over\ndata: gone",
    "שלום<b>x</b>",
    "你好<i>x</i>",
    "‮<u>x</u>",
    "😀<marquee>x</marquee>",
)


ALONE = ('" autofocus', "javascript:", "data:", "שלום", "{{")
"""What these begin with matters where they begin a value."""


def bundles() -> list[str]:
    """All of them, six in one text: a place that lets one out is seen by that one."""
    alone = [payload for payload in PAYLOADS if payload.startswith(ALONE)]
    others = [payload for payload in PAYLOADS if not payload.startswith(ALONE)]
    return [*alone, *(" ".join(others[n : n + 6]) for n in range(0, len(others), 6))]


class Reader(HTMLParser):
    """What a browser would make of a page, as far as it matters here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            target = (value or "").strip().lower()
            if name.startswith("on") or name in ("style", "srcdoc", "xlink:href"):
                self.wrong.append(f"<{tag} {name}>")
            if name in ("href", "src", "action", "formaction") and not target.startswith(("/", "#")):
                self.wrong.append(f"<{tag} {name}={value}>")
        if tag == "script" and not dict(attrs).get("src", "").startswith("/monitor/static/"):  # type: ignore[union-attr]
            self.wrong.append("<script>")


OURS = {
    *("html", "head", "meta", "title", "link", "script", "body", "nav", "main", "header", "footer", "section"),
    *("a", "b", "i", "p", "div", "span", "h1", "h2", "ul", "ol", "li", "dl", "dt", "dd", "bdi", "code", "pre", "time"),
    *("form", "input", "button", "label", "select", "option", "textarea", "datalist"),
    *("details", "summary", "noscript", "progress"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "svg", "rect", "path"),
}


@pytest.fixture
async def planted(connection: JobsRedis, redis_url: str) -> AsyncIterator[list[str]]:
    """Every payload in every place that others write to. Yields the pages that show them."""
    redis = connection
    paths = [
        "/",
        "/jobs",
        "/jobs?q=state:scheduled",
        "/workers",
        "/tasks",
        "/queues",
        "/schedules",
        "/workflows",
        "/audit",
    ]
    async with shop_worker(redis_url=redis_url):
        for number, payload in enumerate(bundles()):
            name = payload.replace("\n", " ").replace("‮", "")
            failed = await fail.delay(payload)
            echoed = await send_task("shop.echo", (payload,), {name: {payload: [payload]}})
            unknown = await send_task(name, (payload,), task_id=f"{number}{name}", countdown=100, queue=name)
            await redis.hset(f"jobs:schedule:{name}", mapping={"task": name, "when": name, "queue": name})
            await redis.sadd("jobs:schedules", name)
            await monitor.note(redis, payload, payload, payload, payload)
            for result in (failed, echoed):
                await result.get(propagate=False, timeout=20)
            paths += [f"/job?id={quote(job.id)}" for job in (failed, echoed, unknown)]
            paths += [f"/job/edit?id={quote(failed.id)}", f"/ask?what=revoke&name={quote(failed.id)}"]
            paths += [
                f"/many?where={quote(payload)}&queue={quote(payload)}&rate={quote(payload)}&action={quote(payload)}"
            ]
            plan = await monitor_site.plan(redis, "revoke", [unknown.id, payload])
            paths += [
                f"/many/plan?id={plan.id}",
                f"/task/run?name={quote(name)}",
                f"/ask?what=pause&name={quote(name)}",
            ]
            paths += [f"/task?name={quote(name)}", f"/worker?name={quote(name)}", f"/queue/purge?name={quote(name)}"]
            words = Term("", payload), Term("task", name), Term("worker", name), Term("", payload, (name,))
            paths += [f"/jobs?q={quote(str(word))}" for word in words]
        yield paths


async def test_nothing_that_stands_in_redis_becomes_markup(planted: list[str], owner: Visitor) -> None:
    shown = 0
    for path in planted:
        response = await owner.get(f"/monitor{path}")
        assert response.status_code in (200, 404), path
        page = Reader(owner.text)
        assert page.wrong == [], path
        assert page.tags <= OURS, (path, page.tags - OURS)
        shown += "alert(1)" in owner.text

    assert shown > 100  # the payloads are there, as text
    assert sum(map(len, bundles())) >= sum(map(len, PAYLOADS))


async def test_a_hostile_worker_s_name_is_text_and_can_be_told_to_stop(connection: JobsRedis, owner: Visitor) -> None:
    redis = connection
    name = "<img src=x onerror=alert(1)>'\"&:1"
    seconds, _ = await redis.time()
    facts = {"host": name, "queues": f"default,{name}", "tasks": name, "python": name, "pid": 1, "max_jobs": 1}
    await redis.hset(f"jobs:worker:{name}", mapping=facts | {"seen": seconds * 1000, "started": seconds * 1000})
    await redis.zadd("jobs:workers", {name: seconds * 1000})
    async with redis.pubsub() as listening:
        await listening.subscribe(f"jobs:control:{name}")
        await listening.get_message(timeout=5)
        for path in ("/workers", f"/worker?name={quote(name)}"):
            await owner.get(f"/monitor{path}")
            page = Reader(owner.text)
            assert page.wrong == []
            assert page.tags <= OURS
            assert "onerror=alert(1)" in owner.text

        await owner.post("/monitor/worker/stop", page=f"/monitor/worker?name={quote(name)}", name=name)

        async def told() -> bool:
            message = await listening.get_message(ignore_subscribe_messages=True, timeout=1)
            return message is not None and message["data"] == b"shutdown"

        await wait_until(told, "the worker to be told")


@pytest.mark.parametrize(
    "job_id", ["", "x" * 513, "a\nb", "a\0b", "a\x7fb", "\ud800", "../../etc/passwd", "nobody:0.1", "*", "[a-z]*"]
)
async def test_an_id_that_cannot_be_is_not_looked_up(owner: Visitor, job_id: str) -> None:
    response = await owner.get(f"/monitor/job?id={quote(job_id, errors='surrogatepass')}")

    assert response.status_code == 404
    assert owner.marks.errors == ["gone"]


@pytest.mark.parametrize(
    "query",
    [
        "/jobs?cursor=x", "/jobs?cursor=%00", "/jobs?cursor=bnVsbA", "/jobs?cursor=WzEsMiwzXQ",
        "/workflows?cursor=x", "/workflows?cursor=99999999999999999999", "/audit?cursor=x", "/audit?cursor=1-x",
        "/audit?cursor=1-99999999999999999999",
        "/workflow?id=x&path=..", "/workflow?id=x&start=-1", "/task?name=none", "/queue/purge?name=none",
    ],
)  # fmt: skip
async def test_an_address_that_was_never_given_out_is_a_404(owner: Visitor, query: str) -> None:
    assert (await owner.get(f"/monitor{query}")).status_code in (404, 200)
    assert "500" not in owner.marks.errors


async def test_a_time_that_is_none_is_said_and_kept(owner: Visitor) -> None:
    response = await owner.get("/monitor/jobs?q=since:2026-13-77T10:00+plants")

    assert response.status_code == 400
    assert owner.marks.errors == ["wrong-query"]
    assert 'value="since:2026-13-77T10:00 plants"' in owner.text


async def test_scores_that_are_no_times_hide_nothing(connection: JobsRedis, owner: Visitor) -> None:
    """Stock producers write scores as they like; the owner of these tests is in Berlin."""
    redis, jobs = connection, list[str]()
    for score in ("-1", "0", "1e18", "1e300", "-1e300", "inf", "-inf", "253402300799999"):
        for due in (score, "253402300799999", ""):
            job = await echo.apply_async((score,), countdown=100)
            await redis.zadd("arq:queue", {job.id: score})
            await redis.hset(f"jobs:job:{job.id}", "due", due)
            if not due:  # a stock producer's
                await redis.delete(f"jobs:job:{job.id}")
            jobs.append(job.id)
            assert (await owner.get(f"/monitor/job?id={job.id}")).status_code == 200, (score, due)
            assert job.id in owner.text
    for path in ("", "queues", "queue/purge?name=default", "broker", "jobs?q=state:scheduled,waiting", "jobs"):
        assert (await owner.get(f"/monitor/{path}")).status_code == 200, path
    assert all(job_id in owner.text for job_id in jobs)


@pytest.mark.parametrize("when", ["0001-01-01T00:00", "9999-12-31T23:59", "1969-12-31T00:00"])
async def test_a_time_too_far_away_is_refused(owner: Visitor, when: str) -> None:
    assert (await owner.get(f"/monitor/jobs?q=since:{when}")).status_code == 400
    assert owner.marks.errors == ["wrong-query"]


def test_the_reader_sees_what_it_is_there_to_see() -> None:
    for payload in PAYLOADS[:3]:
        page = Reader(payload)
        assert page.wrong or page.tags - OURS
