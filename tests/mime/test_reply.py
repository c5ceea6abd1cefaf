from __future__ import annotations

from typing import Any

import pytest

from gateway.mime.reply.reply import (
    Original,
    base_subject,
    forward_html,
    forward_subject,
    forward_text,
    quote_html,
    quote_text,
    reply_recipients,
    reply_references,
    reply_subject,
)
from gateway.mime.types import Address


def a(email: str, name: str = "") -> Address:
    return Address(name, email)


def original(**changes: Any) -> Original:
    base = Original(
        "<m@x>", ["<r@x>"], ["<r@x>"], "Hi", a("bob@x.test", "Bob"), [], [a("me@h.test")], [], 0, "t", None
    )
    return base._replace(**changes)


@pytest.mark.parametrize(
    ("given", "reply"),
    [
        ("Hi", "Re: Hi"),
        ("Re: Hi", "Re: Hi"),
        ("RE: re: Hi", "Re: Hi"),
        ("AW: Hi", "Re: Hi"),
        ("Sv: Re[2]: Hi", "Re: Hi"),
        ("回复：你好", "Re: 你好"),
        ("Fwd: Hi", "Re: Fwd: Hi"),
        ("", "Re:"),
        ("Regarding: x", "Re: Regarding: x"),
        ("Restaurant", "Re: Restaurant"),
    ],
)
def test_reply_subject(given: str, reply: str) -> None:
    assert reply_subject(given) == reply
    assert reply_subject(reply) == reply


def test_other_subjects() -> None:
    assert forward_subject("WG: Fwd: Hi") == "Fwd: Hi"
    assert forward_subject("Re: Hi") == "Fwd: Re: Hi"
    assert base_subject("Re: Fwd: AW: Hi  there") == "Hi there"
    assert len(base_subject("Re: " * 10_000)) < 41_000


def test_references_chain() -> None:
    assert reply_references(original()) == ["<r@x>", "<m@x>"]
    assert reply_references(original(references=[], in_reply_to=["<p@x>"])) == ["<p@x>", "<m@x>"]
    assert reply_references(original(references=[], in_reply_to=["<p@x>", "<q@x>"])) == ["<m@x>"]
    long = reply_references(original(references=[f"<{i}@x>" for i in range(5000)]))
    assert len(long) == 50
    assert long[0] == "<0@x>"
    assert long[-2:] == ["<4999@x>", "<m@x>"]


def emails(found: list[Address]) -> list[str]:
    return [address.email for address in found]


def test_reply_to_beats_from() -> None:
    got = reply_recipients(original(reply_to=[a("list@x.test")]), "me@h.test")
    assert emails(got.to) == ["list@x.test"]
    assert got.cc == []


def test_reply_all_leaves_out_every_spelling_of_oneself_and_repeats() -> None:
    mail = original(
        to=[a("ME@H.test"), a("me+tag@h.test"), a("c@x.test"), a("Bob@X.test")],
        cc=[a("C@x.test"), a("d@x.test"), a("me@h.test")],
    )
    got = reply_recipients(mail, "me@h.test", reply_all=True)
    assert emails(got.to) == ["bob@x.test"]
    assert emails(got.cc) == ["c@x.test", "d@x.test"]


def test_reply_to_own_sent_message_goes_to_its_recipients() -> None:
    mail = original(sender=a("Me@h.test"), to=[a("c@x.test")], cc=[a("d@x.test")])
    assert emails(reply_recipients(mail, "me@h.test").to) == ["c@x.test"]
    got = reply_recipients(mail, "me@h.test", reply_all=True)
    assert (emails(got.to), emails(got.cc)) == (["c@x.test"], ["d@x.test"])


def test_note_to_oneself() -> None:
    mail = original(sender=a("me@h.test"), to=[a("me@h.test")])
    assert emails(reply_recipients(mail, "me@h.test", reply_all=True).to) == ["me@h.test"]


def test_quotations() -> None:
    mail = original(text="one\n\ntwo", html="<p>one</p>", subject="S")
    assert quote_text(mail, "new").endswith("> one\n>\n> two\n")
    assert "Bob <bob@x.test> wrote:" in quote_text(mail, "new")
    assert "<p>one</p></blockquote>" in quote_html(mail, "<p>new</p>")
    assert "Bob &lt;bob@x.test&gt;" in quote_html(mail, "")
    assert "From: Bob <bob@x.test>" in forward_text(mail, "see")
    assert "&lt;script&gt;" in forward_html(original(text="<script>"), "")
    assert "&lt;b&gt;" in forward_html(mail._replace(sender=a("b@x.test", "<b>")), "")
