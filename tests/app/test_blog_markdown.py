"""What may come out of a post's text, whatever was put in."""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.blog import Post, markdown
from app.blog.markdown import colours, shortening
from tests.app.harm import ATTACKS, Harm


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_harmful_is_left(attack: str) -> None:
    for text in (attack, f"words {attack} words", f"> - **{attack}**"):
        assert Harm(markdown.html(text)).found == []


@given(st.lists(st.sampled_from([*ATTACKS, "\n\n", "`", "*", "[", "](", ")", "<", ">", "|", "- ", "# "]), max_size=12))
def test_nothing_harmful_comes_of_any_mixture(parts: list[str]) -> None:
    assert Harm(markdown.html("".join(parts))).found == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_html_that_reached_the_sanitiser_would_not_pass_it(attack: str) -> None:
    """The second wall, by itself."""
    assert Harm(markdown.clean(attack)).found == []


def test_what_is_meant_is_kept() -> None:
    text = (
        "**b** *i* ~~s~~ `c` [l](/about 't') <https://a.example> ![p](https://a.example/p.png)\n\n"
        "> q\n\n3. three\n\n---\n\n| a |\n|---|\n| 1 |\n\n```py\nx in y\n```\n"
    )

    html = markdown.html(text)

    for part in ("<strong>b", "<em>i", "<s>s", "<code>c", 'href="/about" title="t"', 'href="https://a.example"',
                 'src="https://a.example/p.png" alt="p"', "<blockquote", '<ol start="3"', "<hr>", "<td>1",
                 'class="language-py">x <span class="k">in</span> y'):  # fmt: skip
        assert part in html, part


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("# a\n## b\n# c", "h2 h3 h2"),
        ("## a\n### b", "h2 h3"),
        ("# a\n#### b\n## c", "h2 h3 h3"),
        ("###### a\n# b", "h2 h2"),
        ("# a\n## b\n### c\n#### d\n##### e\n###### f", "h2 h3 h4 h5 h6 h6"),
    ],
)
def test_headings_stand_below_the_title_and_skip_no_level(text: str, tags: str) -> None:
    html = markdown.html(text)

    assert [part[:2] for part in html.split("<") if part[:1] == "h"] == tags.split()


def test_each_heading_has_an_anchor_of_its_own() -> None:
    html = markdown.html("# Main\n# Main\n# Main 2\n# *字* `x`\n# !\n# <b>")

    ids = re.findall(r'id="([^"]*)"', html)
    links = [unquote(link) for link in re.findall(r'href="#([^"]*)"', html)]
    assert ids == links
    assert ids == [f"section-{name}" for name in ("main", "main-2", "main-2-2", "字-x", "5", "b")]


@given(st.lists(st.sampled_from(["a", "A", "a 2", "字", "!", "**a**", "a-2"]), max_size=12))
def test_anchors_are_never_given_twice(headings: list[str]) -> None:
    ids = re.findall(r'id="([^"]*)"', markdown.html("\n".join(f"# {heading}" for heading in headings)))

    assert len(set(ids)) == len(headings)


@pytest.mark.parametrize(
    ("text", "directions"),
    [
        ("- שלום\n- hello\n- 1. 字", "rtl ltr ltr ltr"),
        ("- **123 שלום** hello\n\n- hello", "rtl ltr"),
        ("- 123\n  - ابجد", "rtl rtl"),
        ("> 1\n>\n> مرحبا\n\n> a", "rtl ltr"),
        ("- 1\n- !", ""),
        ("- ![x](/a)", ""),
    ],
)
def test_the_first_letter_decides_where_a_bullet_is(text: str, directions: str) -> None:
    assert re.findall(r'<(?:li|blockquote) dir="(\w+)"', markdown.html(text)) == directions.split()


def test_cells_are_aligned_without_a_style() -> None:
    html = markdown.html("| a | b | c | d |\n|---:|:---:|:---|---|\n| 1 | 2 | 3 | 4 |")

    assert re.findall(r"<(t[hd])(?: align=\"(\w+)\")?>", html) == [
        (cell, side) for cell in ("th", "td") for side in ("right", "center", "left", "")
    ]
    assert markdown.clean(html, base="https://site.example/").count('align="right"') == 2, "in the feed too"
    assert "x" not in markdown.clean('<table><tr><td align="x" style="x">1</td></tr></table>')


@pytest.mark.parametrize("language", sorted(colours.LANGUAGES))
def test_every_known_language_keeps_each_character_of_its_code(language: str) -> None:
    code = "\n  def f(x): return '<&\"' # 字\n\n\tif x { let y = 1; } // \\n\n"

    html = colours.Colours().html(code, language, "")

    assert unescape(re.sub(r"<[^>]*>", "", html)) == code
    assert {*re.findall(r"<[^>]*>", html)} <= {
        "</span>",
        *(f'<span class="{name}">' for name in colours.CLASSES.values()),
    }


def test_code_has_colours_if_its_language_is_known_and_it_is_short() -> None:
    assert '<span class="k">return</span>' in markdown.html("```Python x=1\nreturn x\n```")
    for plain in (
        "```\nreturn x\n```",
        "```brainfuck\nreturn\n```",
        "    return x\n",
        f"```py\n{'return 1;' * 3_000}\n```",
    ):
        assert "<span" not in markdown.html(plain), plain[:20]


def test_colours_stop_when_their_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colours, "CPU_S", 0)

    assert markdown.html("```py\nx = 1\n```") == '<pre tabindex="0"><code class="language-py">x = 1\n</code></pre>\n'


def test_links_for_elsewhere_have_a_host() -> None:
    html = markdown.html("[a](/about) [b](#b) [c](https://c.example/) ![d](d.png) [e](mailto:e@e.example)")

    absolute = markdown.clean(html, base="https://site.example/posts/1-x")

    for link in ('"https://site.example/about"', '"https://site.example/posts/1-x#b"', '"https://c.example/"',
                 '"https://site.example/posts/d.png"', '"mailto:e@e.example"'):  # fmt: skip
        assert link in absolute


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("# Title\n\n## More\n\nSome **bold** [words](https://x.example)\nand `code` <b>.\n\nNext",
         "Some bold words and code <b>."),
        ("- one\n- two\n\n| a | b |\n|---|---|\n| c | d |\n\n```\ncode\n```\n\nThe *first*\\\nparagraph",
         "The first paragraph"),
        ("> quoted\n\n1. loose\n\n2. list\n\nalone", "alone"),
        ("![a picture](p.png)\n\nAfter ![an *alt*](p.png) it", "After it"),
        ("# Only *this*\n\n- one\n- two", "Only this"),
        ("- one\n- two", "one"),
        ("| a | b |\n|---|---|\n| c | d |", "a"),
        ("> quoted\n>\n> more", "quoted"),
        ("![a *picture*](p.png)", "a picture"),
        ("```py\nx = 1\ny = 2\n```", "x = 1 y = 2"),
        ("---\n\n&nbsp;\n\n字 first\n", "字 first"),
        ("one&#12;&#1;two", "one \ufffdtwo"),
        ("---", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_first_words_are_those_of_the_first_paragraph(text: str, first: str) -> None:
    assert markdown.first_words(text) == first


@given(st.text(st.sampled_from("ab #*-|>`\n字![]()&;"), max_size=60))
def test_any_text_has_first_words_on_one_line(text: str) -> None:
    first = markdown.first_words(text)

    assert first == " ".join(first.split())


@given(st.lists(st.integers(0, 0x10FFFF) | st.sampled_from([*range(0xA0), *range(0xD800, 0xD810), 0xFFFE, 0xFFFF])))
def test_no_reference_brings_back_a_character_that_no_page_or_feed_can_carry(points: list[int]) -> None:
    text = markdown.printable("".join(f"&#{n};{chr(n)}" for n in points))

    for rendered in (markdown.html(text), markdown.html(f"`{text}`"), markdown.first_words(text)):
        assert markdown.printable(rendered) == rendered


def test_a_post_never_holds_what_no_page_or_feed_can_carry() -> None:
    post = Post(title=" a\x00\n b\ud800\uffff ", text="one\r\ntwo\x0bthree\x1b\tfour\rfive\ufffe")

    assert post.title == "a b"
    assert post.text == "one\ntwothree\tfour\nfive"


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Hello, World!", "hello-world"),
        ("  --  ", ""),
        ("🎉🎉", ""),
        ("给以后的自己写一封信", "给以后的自己写一封信"),
        ("हिन्दी में", "हिन्दी-में"),
        ("كتاب جديد؟", "كتاب-جديد"),
        ("a/b?c#d%2F../e", "a-b-c-d-2f-e"),
        ("Straße ﬁnden", "strasse-finden"),
        ("word " * 30, "-".join(["word"] * 12)),
        ("字" * 100, "字" * 60),
    ],
)
def test_slugs(title: str, slug: str) -> None:
    assert shortening.slug(title) == slug


@given(st.text(max_size=200))
def test_any_title_makes_a_slug_that_is_safe_in_an_address(title: str) -> None:
    slug = shortening.slug(title)

    assert len(slug) <= shortening.LONGEST_SLUG
    assert not slug.startswith("-")
    assert all(character == "-" or unicodedata.category(character)[0] in "LMN" for character in slug)


@pytest.mark.parametrize(
    "text",
    ["word " * 200, "字" * 999, "一 " + "字" * 999, "👩‍👩‍👧" * 200, "👍🏽" * 300, "🇫🇷" * 300, "שלום עולם " * 100,
     "é" * 600, "हिन्दी " * 150, "क्षत्रिय" * 100, "\u1112\u1161\u11ab" * 250,
     "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f" * 90, "นํ้ากำ" * 120, "1️⃣" * 250],
    ids=["latin", "chinese", "chinese with an early blank", "families", "skin", "flags", "hebrew", "accents", "hindi",
         "conjuncts", "jamo", "scotland", "thai", "keycaps"],
)  # fmt: skip
def test_a_beginning_is_long_enough_and_tears_nothing(text: str) -> None:
    cut = shortening.beginning(text, 500)

    assert 450 <= len(cut) <= 500
    assert cut.endswith("…")
    left = cut[:-1]
    assert text.startswith(left)
    following = text[len(left)]
    assert unicodedata.category(following)[0] != "M"
    assert following != shortening.JOINER
    assert left[-1] != shortening.JOINER
    assert not shortening.LEANS.match(following)
    assert unicodedata.combining(left[-1]) != shortening.VIRAMA
    assert sum(map(bool, map(shortening.FLAG.match, left))) % 2 == 0


def test_what_is_short_is_not_cut() -> None:
    assert shortening.beginning("字" * 500, 500) == "字" * 500
    assert shortening.beginning("", 500) == ""


@given(st.text(), st.integers(10, 60))
def test_a_beginning_is_never_longer_than_asked(text: str, length: int) -> None:
    assert len(shortening.beginning(text, length)) <= length
