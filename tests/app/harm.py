"""What an attacker writes into posts and headers, and how harm in a page is found."""

from __future__ import annotations

from html.parser import HTMLParser

from app.blog import markdown

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>*{background:url(javascript:alert(1))}</style>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<form action=/sign-out method=post><button>x",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content=0>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:x)",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](file:///etc/passwd)",
    "![x](javascript:alert(1))",
    '![x](x" onerror="alert(1))',
    '[x](https://a.example/"onmouseover="alert(1))',
    '[x](https://a.example "t\\" onclick=\\"alert(1)")',
    "<https://a.example/\"onclick=alert(1)//>",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "```\"><script>alert(1)</script>\nx\n```",
    "``` x\" onclick=alert(1)\nx\n```",
    "|a|\n|-|\n|<script>alert(1)</script>|",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "`<script>alert(1)</script>`",
    "{{7*7}} {% raw %} ${7*7}",
    "*a<script>*</script>",
    "]]><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "\x00<scr\x00ipt>alert(1)</script>",
    "＜script＞alert(1)＜/script＞",
]  # fmt: skip


class Harm(HTMLParser):
    """Collects whatever a browser would obey and a post may not say."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in markdown.ALLOWED:
            self.found.append(tag)
        for name, value in attrs:
            if name == "id" and (value or "").startswith("section-"):
                continue
            if name not in {"href", "src", "alt", "title", "class", "start", "rel", "tabindex", "dir", "aria-label"}:
                self.found.append(name)
            scheme = (value or "").partition(":")[0].strip().lower() if ":" in (value or "") else "https"
            if name in ("href", "src") and scheme not in ("http", "https", "mailto"):
                self.found.append(value or "")

    def handle_comment(self, data: str) -> None:
        self.found.append(data)


BCC = "=?utf-8?q?x=0ABcc:_victim=40example.com?="


POISON = [
    "one\rtwo", "one\ntwo", "one\r\nBcc: victim@example.com", "nul\x00", "vertical\x0btab", "form\x0cfeed",
    "tab\there",     "line\u2028separator", "paragraph\u2029separator", "next\x85line", "delete\x7f",
    "half a pair \ud83d", BCC,     "=?utf-8?b?eApCY2M6IHZAeS5jb20=?=", "x" * 10_000,
]  # fmt: skip
