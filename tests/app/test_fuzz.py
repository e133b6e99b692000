"""Whatever is sent: an answer, and never a fault of ours."""

from __future__ import annotations

from random import Random

from quart import Quart

from tests.app.visitor import Visitor

PATHS = [
    "/",
    "/sign-in",
    "/account",
    "/posts/1",
    "/posts/new",
    "/posts/1/edit",
    "/feed.atom",
    "/reminders/",
    "/reminders/new",
    "/reminders/1",
    "/consents/1/x",
    "/no-more/1/x",
    "/account/data",
    "/account/export",
    "/account/delete",
    "/privacy",
    "/subscribe",
    "/subscribe/1/x",
    "/unsubscribe/1/x",
    "/unsubscribe/1/x/forget",
    "/subscribers",
    "/subscribers/1",
    "/inbox/",
    "/static/site.css",
]
FIELDS = [
    "email",
    "timezone",
    "text",
    "to",
    "answer",
    "title",
    "do",
    "when",
    "in",
    "page",
    "before",
    "q",
    "state",
    "csrf_token",
    "is_owner",
    "account_id",
]
WORDS = [
    *(
        "",
        "0",
        "-1",
        "9" * 30,
        "1m",
        "10s",
        "../..",
        "\0",
        "' OR 1=1 --",
        "{{7*7}}",
        "<script>",
        "\u202e",
        "é" * 300,
    ),
    *(
        "👩‍👩‍👧",
        "2026-03-29T02:30",
        "0001-01-01T00:00",
        "9999-12-31T23:59",
        "a@b.org",
        "a@\u2028b.org",
        "UTC",
        "\ufffd",
    ),
]
LETTERS = "abcAZ019%.:;,@*+~_-!$&=(){}|^`\"'<>\\ ä\u2028\U0001f600"  # what the test client can send
HEADERS = [
    "Accept",
    "Content-Type",
    "X-Forwarded-For",
    "Origin",
    "Range",
    "If-None-Match",
    "Referer",
    "Cookie",
]


def some_path(random: Random) -> str:
    if random.random() < 0.7:
        return random.choice(PATHS)
    return "/" + "".join(random.choice(LETTERS) for _ in range(9))


def some_fields(random: Random) -> dict[str, str]:
    return {random.choice(FIELDS): random.choice(WORDS) for _ in range(random.randrange(5))}


async def test_no_form_and_no_query_is_a_fault(owner: Visitor) -> None:
    await owner.get("/account")
    token = owner.token()

    for seed in range(300):
        random = Random(seed)
        path = some_path(random)
        got = await owner.client.get(path, query_string=some_fields(random))
        sent = await owner.client.post(path, form={"csrf_token": token} | some_fields(random))

        assert got.status_code < 500, (seed, path)
        assert sent.status_code < 500, (seed, path)
        for answer in (got, sent):
            assert "Traceback" not in await answer.get_data(as_text=True)


async def test_no_header_and_no_body_is_a_fault(app: Quart) -> None:
    client = app.test_client(use_cookies=False)

    for seed in range(300):
        random = Random(seed)
        path = some_path(random)
        names = random.sample(HEADERS, 3)
        headers = {name: "".join(chr(random.randrange(32, 127)) for _ in range(40)) for name in names}
        if random.random() < 0.7:
            headers["Content-Type"] = random.choice(
                [
                    "application/x-www-form-urlencoded",
                    "multipart/form-data; boundary=x",
                    "multipart/form-data",
                    "a/b",
                ]
            )
        body = (
            random.randbytes(200)
            if random.random() < 0.5
            else b"--x\r\nContent-Disposition: form-data\r\n\r\n"
        )

        assert (await client.get(path, headers=headers)).status_code < 500, (seed, path)
        assert (await client.post(path, headers=headers, data=body)).status_code < 500, (seed, path)
