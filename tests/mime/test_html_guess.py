"""Telling HTML from text: real tags, and nothing that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.html_guess import looks_like_html

HTML = [
    "<!DOCTYPE html><html><body>Hi</body></html>",
    "  <html><p>Hi",
    "<!-- made by a tool -->\n<!doctype html><title>x</title>",
    "<p>Hello</p>",
    "<P CLASS='x'>Hello",
    "Hello<br>there",
    "Hello<br/>there",
    "Hello <b>Ann</b>, welcome",
    'See <a href="https://a.test">this</a>',
    'Logo: <img src="cid:x" alt="">',
    "Dear all,\n<ul>\n<li>one</li>\n</ul>",
    "<div>`code`</div>",
    '<table border="1"><tr><td>1</td></tr></table>',
]
TEXT = [
    "",
    "Hello",
    "1 < 2 and 3 > 2",
    "if a<b and c>d then stop",
    "a <b and c> d </bb>",
    "List<int> and Map<String, List<a>>",
    "Write to Ann <ann@abroad.test> or <https://a.test/?a=b>",
    "On Mon, Ann <a@b.test> wrote:\n> hi",
    "<thread> <subject> <placeholder>",
    "<your name here>",
    "I <3 you </3",
    "the tag <b> makes bold",
    "use `<b>bold</b>` for bold",
    "```html\n<p>Hello</p>\n```\nthat is how",
    "```\n<p>unclosed fence</p>",
    "<br",
    "br>",
    "<a@b.test>",
    "&lt;p&gt;Hello&lt;/p&gt;",
    "x <i> y",
    "<?xml version='1.0'?><note><to>x</to></note>",
]


@pytest.mark.parametrize("text", HTML)
def test_html(text: str) -> None:
    assert looks_like_html(text)


@pytest.mark.parametrize("text", TEXT)
def test_text(text: str) -> None:
    assert not looks_like_html(text)


@given(st.text())
def test_text_without_both_brackets_is_never_html(text: str) -> None:
    assert not looks_like_html(text.replace("<", ""))
    assert not looks_like_html(text.replace(">", ""))


@given(st.text(alphabet="abp <>/=\"'`\n"), st.sampled_from(["p", "b", "div", "td"]))
def test_an_element_in_text_without_brackets_is_html(text: str, name: str) -> None:
    bare = text.replace("<", "").replace("`", "")
    assert looks_like_html(f"{bare}<{name}>x</{name}>{bare}")


@pytest.mark.parametrize(
    "text",
    ["<" * 500_000, "<p " * 170_000, "`" * 500_000, "<!--" * 125_000, "<p>" + " " * 500_000, "<b>" * 160_000,
     "```" + "`a" * 250_000, "<a " + "x=" * 250_000, "\n" * 500_000 + "<>"],
)  # fmt: skip
@pytest.mark.timeout(60)  # with the square of its length it would take hours
def test_hostile_text_costs_what_it_weighs(text: str) -> None:
    looks_like_html(text)
