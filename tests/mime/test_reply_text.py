from __future__ import annotations

import pytest

from gateway.mime.html_text import html_to_text
from gateway.mime.reply_html import extract_reply_html
from gateway.mime.reply_text import extract_reply_text

QUOTES = {
    "gmail en": "On Mon, Jan 5, 2026 at 10:00 AM Bob <bob@x.test> wrote:\n\n> old\n> text",
    "gmail en folded": "On Mon, Jan 5, 2026 at 10:00 AM Bob Longname\n<bob@x.test> wrote:\n\n> old",
    "gmail de": "Am Mo., 5. Jan. 2026 um 10:00 Uhr schrieb Bob <bob@x.test>:\n\n> old",
    "gmail fr": "Le lun. 5 janv. 2026 à 10:00, Bob <bob@x.test> a écrit :\n\n> old",
    "gmail es": "El lun, 5 ene 2026 a las 10:00, Bob (<bob@x.test>) escribió:\n\n> old",
    "gmail ja": "2026年1月5日(月) 10:00 Bob <bob@x.test>:\n\n> old",
    "gmail zh": "Bob <bob@x.test> 于2026年1月5日周一 10:00写道：\n\n> old",
    "thunderbird": "On 1/5/26 10:00, Bob wrote:\n> old",
    "outlook en": "From: Bob <bob@x.test>\nSent: Monday, January 5, 2026 10:00 AM\nTo: Me <me@h.test>\nSubject: old\n\nold",  # noqa: E501
    "outlook rule": "________________________________\nFrom: Bob <bob@x.test>\nSent: Monday, January 5, 2026 10:00 AM\n"
    "To: Me <me@h.test>\nSubject: old\n\nold",
    "outlook de": "Von: Bob <bob@x.test>\nGesendet: Montag, 5. Januar 2026 10:00\nAn: Me\nBetreff: old\n\nold",
    "outlook ja": "差出人: Bob <bob@x.test>\n送信日時: 2026年1月5日 10:00\n宛先: me@h.test\n件名: old\n\nold",
    "original": "-----Original Message-----\nFrom: Bob <bob@x.test>\nSent: Monday, January 5, 2026 10:00 AM\n"
    "To: Me\nSubject: old\n\nold",
}  # fmt: skip


@pytest.mark.parametrize("name", QUOTES)
def test_quotation_is_cut(name: str) -> None:
    assert extract_reply_text(f"Yes, at 10:30.\n\nBye\n\n{QUOTES[name]}\n") == "Yes, at 10:30.\n\nBye"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("> old\n\nnew below", "new below"),
        ("On 1/5/26 10:00, Bob <b@x.y> wrote:\n> old one\n\nnew below", "new below"),
        ("Hi\n-- \nBob\nCEO", "Hi"),
        ("Hi\n\nSent from my iPhone", "Hi"),
        ("-- \nonly a signature", "-- \nonly a signature"),
        ("The steps are these:\n1. go\n2. stop", "The steps are these:\n1. go\n2. stop"),
        ("Name: Bob\nAge: 7\nCity: Rome", "Name: Bob\nAge: 7\nCity: Rome"),
        (QUOTES["original"], QUOTES["original"]),
        ("", ""),
    ],
)
def test_what_is_kept(text: str, kept: str) -> None:
    assert extract_reply_text(text) == kept


@pytest.mark.parametrize(
    "quoted",
    [
        '<div class="gmail_quote"><div class="gmail_attr">On ... wrote:</div><blockquote>old</blockquote></div>',
        '<blockquote type="cite">old</blockquote>',
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Bob</div><div>old</div>',
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Bob &lt;b@x.y&gt;<br><b>Sent:</b> 5 January '  # noqa: E501
        '2026 10:00<br><b>To:</b> me</p></div><p>old</p>',
        '<div class="yahoo_quoted">old</div>',
    ],
)  # fmt: skip
def test_html_quotation_is_cut(quoted: str) -> None:
    result = extract_reply_html(f"<html><body><div>new</div>{quoted}</body></html>")
    assert html_to_text(result).text == "new"
    only = f"<html><body>{quoted}</body></html>"
    assert "old" in extract_reply_html(only)


def test_html_to_text_structure() -> None:
    html = "<h1>T</h1><p>a  b<br>c</p><ul><li>x<li>y</ul><a href='https://h.test/1'>here</a><table><tr><td>1<td>2</table>"
    assert html_to_text(html).text == "T\n\na b\nc\n\n- x\n- y\n\nhere <https://h.test/1>\n\n1 2"
    assert html_to_text("<script>x</script><style>y</style>&lt;b&gt;").text == "<b>"
    assert html_to_text("").text == ""
