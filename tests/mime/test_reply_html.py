from __future__ import annotations

import pytest

from gateway.mime.html_text import html_to_text
from gateway.mime.reply.reply_html import extract_reply_html

SAID = "On Mon, Jan 5, 2026 at 10:00 AM Bob &lt;bob@x.test&gt; wrote:"


@pytest.mark.parametrize(
    "quoted",
    [
        f'<div class="gmail_quote"><div class="gmail_attr">{SAID}</div><blockquote>old</blockquote></div>',
        f'<div class="gmail_quote gmail_quote_container"><div class="gmail_attr">{SAID}</div>'
        '<blockquote class="gmail_quote">old <blockquote class="gmail_quote">older</blockquote></blockquote></div>',
        f'<div class="gmail_extra"><br><div class="gmail_quote">{SAID}<br><blockquote class="gmail_quote">old'
        "</blockquote></div></div>",
        '<blockquote type="cite">old</blockquote>',
        f'<div><br><blockquote type="cite"><div>{SAID}</div><div>old</div></blockquote></div>',
        f'<div class="moz-cite-prefix">{SAID}</div><blockquote type="cite" cite="mid:a">old</blockquote>',
        f"<div>{SAID}</div><blockquote>old</blockquote>",
        f'<div>{SAID}<br></div><blockquote type="cite" id="qt">old</blockquote>',
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Bob</div><div>old</div>',
        '<div><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p><b><span>Von:</span></b><span> Bob'
        " &lt;b@x.y&gt;<br><b>Gesendet:</b> Montag, 5. Januar 2026 10:00<br><b>An:</b> me<br><b>Betreff:</b> x"
        "</span></p></div></div>"
        "<p>old</p>",
        "<hr><div><b>From: </b>bob@x.test<br><b>To: </b>me@h.test<br><b>Sent: </b>Friday, July 22, 2011 6:20:01 PM<br>"
        "<b>Subject: </b>x</div><p>old</p>",
        f'<div class="yahoo_quoted"><div>{SAID}</div><br><div>old <blockquote>older</blockquote></div></div>',
        f'<div class="protonmail_quote">{SAID}<br><blockquote class="protonmail_quote" type="cite">old</blockquote>'
        "</div>",
        '<div class="protonmail_quote">-------- Original Message --------<br>On 05/01/2026 10:00, Bob wrote:<br>'
        '<blockquote class="protonmail_quote">old</blockquote></div>',
        f'<p class="airmail_on">{SAID}</p><blockquote type="cite" class="clean_bq">old</blockquote>',
        '<div class="zmail_extra"><div>---- On Mon, 05 Jan 2026 10:00:00 +0100 <b>Bob &lt;bob@x.test&gt;</b> wrote ----'
        "</div><blockquote>old</blockquote></div>",
        f'<div>{SAID}</div><blockquote type="cite">old</blockquote><div style="margin-left:1em"><blockquote>older'
        "</blockquote></div>",
        "<p><b>From:</b> Bob &lt;bob@x.test&gt;<br><b>Sent:</b> Monday<br><b>To:</b> me<br><b>Subject:</b> x</p>"
        "<p>old</p>",
        '<div class="gmail_quote"><div>\u202bבתאריך יום ב׳, 5 בינו׳ 2026 ב-10:00 מאת \u202aBob\u202c\u200f '
        "&lt;bob@x.test&gt;:\u202c</div><blockquote>old</blockquote></div>",
        '<hr id="stopSpelling">Date: Thu, 26 Jun 2014<br>old',
        '<div class="gmail_signature">old address</div>',
        '<div id="Signature">old address</div>',
    ],
)
def test_containers_of_history_and_signatures_are_taken_out(quoted: str) -> None:
    result = extract_reply_html(f"<html><body><div>new</div>{quoted}</body></html>")
    assert html_to_text(result).text == "new"
    only = f"<html><body>{quoted}</body></html>"
    assert "old" in extract_reply_html(only), "it is all there is"


@pytest.mark.parametrize(
    "around",
    [
        '<div class="gmail_quote gmail_quote_container">{}</div>',
        '<div class="gmail_extra">{}</div>',
        '<div id="yahoo_quoted_1" class="yahoo_quoted">{}</div>',
        '<div class="protonmail_quote">{}</div>',
        '<div class="zmail_extra">{}</div>',
        '<blockquote type="cite">{}</blockquote>',
        '<blockquote class="gmail_quote">{}</blockquote>',
        '<blockquote class="protonmail_quote" type="cite">{}</blockquote>',
    ],
)
def test_what_was_written_inside_a_container_of_quotations_is_kept(around: str) -> None:
    words = "<div>We would like to meet you on Tuesday at ten.</div><div>John</div>"
    html = f"<div>Heather,</div>{around.format(words)}"
    assert extract_reply_html(html, reply=False) == html
    quoted = f'{words}<div class="gmail_attr">{SAID}</div><blockquote class="gmail_quote">old</blockquote>'
    seen = html_to_text(extract_reply_html(f"<p>Heather,</p>{around.format(quoted)}", reply=False)).text
    assert ("Tuesday" in seen, "old" in seen, "wrote" in seen) == (True, False, False)


def test_what_a_reply_cites_is_history_also_without_a_word_about_it() -> None:
    html = '<div>new</div><blockquote type="cite">old</blockquote>'
    assert html_to_text(extract_reply_html(html)).text == "new"


def test_answers_between_the_parts_of_a_quotation_are_kept() -> None:
    html = (
        f'<div class="gmail_quote"><div class="gmail_attr">{SAID}</div>'
        '<blockquote class="gmail_quote">old 1</blockquote><div>answer 1</div>'
        '<blockquote class="gmail_quote">old 2</blockquote><div>answer 2</div></div>'
    )
    assert html_to_text(extract_reply_html(html)).text == "answer 1\nanswer 2"


def test_an_answer_below_is_kept() -> None:
    html = f'<div class="moz-cite-prefix">{SAID}</div><blockquote type="cite">old</blockquote><p>new</p>'
    assert html_to_text(extract_reply_html(html)).text == "new"


@pytest.mark.parametrize(
    "forwarded",
    [
        '<div class="gmail_quote"><div class="gmail_attr">--- Forwarded message ---<br>From: B</div>it</div>',
        '<blockquote type="cite"><div>Begin forwarded message:</div><div>it</div></blockquote>',
    ],
)
def test_what_is_forwarded_is_kept(forwarded: str) -> None:
    html = f"<div>see below</div>{forwarded}"
    assert html_to_text(extract_reply_html(html)).text.endswith("it")


def test_a_forward_told_by_its_subject_is_unchanged() -> None:
    html = '<div>see below</div><div id="divRplyFwdMsg"><b>From:</b> Bob</div><div>it</div>'
    assert extract_reply_html(html, forward=True) == html


def test_a_quotation_that_is_no_history_is_kept() -> None:
    html = "<p>As Goethe said:</p><blockquote>More light</blockquote><hr><p>Note: one. To: be</p>"
    assert extract_reply_html(html) == html
