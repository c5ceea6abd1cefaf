"""What a whole mail says that is new, and what it carries to be used once."""

from __future__ import annotations

import pytest

from gateway.mime.parse import parse
from gateway.mime.types import ParsedMessage
from gateway.mime.workers.parser_pool import ParserPool

QUOTED = "On Mon, Jan 5, 2026 at 10:00 AM Bob <bob@x.test> wrote:\n> Your verification code is 482913.\n"


def mail(text: str | None, html: str | None = None, subject: str = "Hi") -> bytes:
    head = f"From: Acme <no-reply@acme.test>\nTo: me@h.test\nSubject: {subject}\nMIME-Version: 1.0\n"
    parts = [(kind, body) for kind, body in (("plain", text), ("html", html)) if body is not None]
    head += "Content-Type: multipart/alternative; boundary=b\n\n"
    for kind, body in parts:
        head += f"--b\nContent-Type: text/{kind}; charset=utf-8\n\n{body}\n"
    return (head + "--b--\n").encode()


def read(text: str | None, html: str | None = None, subject: str = "Hi") -> ParsedMessage:
    return parse(mail(text, html, subject))


def test_the_new_text_is_what_people_see_of_the_html() -> None:
    got = read(
        "Please use an HTML program.", "<style>p{x:y}</style><p>Hello <b>Bob</b></p><p hidden>secret</p>"
    )
    assert got.extracted_text == "Hello Bob"
    assert got.text == "Please use an HTML program."
    assert got.hidden_text


def test_the_text_part_is_taken_where_the_html_shows_nothing() -> None:
    assert read("Hello", "<div style='display:none'>x</div>").extracted_text == "Hello"
    assert read("Hello", '<img src="https://x.test/a.png">').extracted_text == "Hello"


def test_a_mail_of_text_alone_has_its_text() -> None:
    assert read("Hello\n\nOn 1/5/26 10:00, Bob wrote:\n> old").extracted_text == "Hello"
    assert read("").extracted_text == ""


def test_a_forward_keeps_its_content_in_text_and_html() -> None:
    head = "From: Bob <bob@x.test>\nSent: Monday, January 5, 2026 10:00 AM\nTo: me@h.test\nSubject: it\n\nthe content"
    assert "the content" in (read(f"See below.\n\n{head}", subject="WG: it").extracted_text or "")
    assert read(f"See below.\n\n{head}", subject="Re: it").extracted_text == "See below."
    html = '<p>See below.</p><div id="divRplyFwdMsg"><b>From:</b> Bob</div><p>the content</p>'
    assert "the content" in (read(None, html, subject="Fwd: it").extracted_text or "")
    assert read(None, html, subject="Re: it").extracted_text == "See below."


def test_what_a_mail_cites_is_history_in_a_reply_alone() -> None:
    html = '<p>Hello,</p><blockquote type="cite">we would like to meet you.</blockquote>'
    assert read(None, html).extracted_text == "Hello,\n\nwe would like to meet you."
    assert read(None, html, subject="Re: it").extracted_text == "Hello,"
    answer = b"In-Reply-To: <a@b.test>\n" + mail(None, html)
    assert parse(answer).extracted_text == "Hello,"


def test_codes_and_links_are_read_with_the_mail() -> None:
    link = "https://acme.test/verify?token=Zt8kQ2vLx9RmN4pW7sYb"
    got = read(
        "Your code is in the HTML.",
        f'<p>Your verification code: 482 913</p><a href="{link}">Verify email</a>',
    )
    assert (got.one_time_code, got.one_time_link) == ("482913", link)
    got = read("Your verification code is 482913.", "<p>See your other device.</p>", subject="Sign in")
    assert got.one_time_code == "482913"
    assert read("Hello").one_time_code is None


def test_a_code_in_the_quoted_history_is_not_found_again() -> None:
    assert read(f"Thanks, it worked.\n\n{QUOTED}", subject="Re: Your code").one_time_code is None
    assert read("Your verification code is 482913.", subject="Fwd: Your code").one_time_code == "482913"


def test_a_code_that_people_do_not_see_is_none() -> None:
    html = '<p>Hello</p><p style="display:none">Your verification code is 482913</p>'
    assert read(None, html).one_time_code is None


HOSTILE = {
    "numbers": "your verification code is 123456 " * 15_000,
    "lines": "code 4829\n" * 50_000,
    "labels": "From: a\n" * 60_000,
    "colons": "a:\n" * 160_000,
    "quotes": ">\na\n" * 120_000,
    "urls": "verify https://a.b/verify?token=aB3aB3aB3aB3aB3aB3 " * 10_000,
    "one line": "verify your email " * 28_000,
    "spaces": "code" + " " * 500_000,
}


@pytest.mark.anyio
async def test_hostile_bodies_are_read_within_the_deadline_of_the_worker() -> None:
    bodies = list(HOSTILE.values())
    async with ParserPool(1) as pool:
        got = await pool.parse_many([mail(body) for body in bodies] + [mail(None, f"<p>{b}") for b in bodies])
    assert [one.extracted_text is not None for one in got] == [True] * len(got)
