from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.addresses import parse_user_address
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


ME = frozenset(["me@h.test", "ME@H.test", "Me@h.test", "me+tag@h.test"])  # as the mails below write it


def people(**changes: Any) -> tuple[list[str], list[str]]:
    """(To, Cc) of a reply."""
    mail = {"sender": a("bob@x.test", "Bob"), "to": [a("me@h.test")], "own": ME, **changes}
    got = reply_recipients(**mail)
    return emails(got.to), emails(got.cc)


def test_reply_to_beats_from() -> None:
    assert people(reply_to=[a("list@x.test")]) == (["list@x.test"], [])


def test_reply_all_leaves_out_every_spelling_of_oneself_and_repeats() -> None:
    to = [a("ME@H.test"), a("me+tag@h.test"), a("c@x.test"), a("Bob@X.test")]
    cc = [a("C@x.test"), a("d@x.test"), a("me@h.test")]
    assert people(to=to, cc=cc, reply_all=True) == (["bob@x.test"], ["c@x.test", "d@x.test"])


@pytest.mark.parametrize("outbound", [True, False])
def test_reply_to_own_sent_message_goes_to_its_recipients(outbound: bool) -> None:
    mail = {"sender": a("Me@h.test"), "to": [a("c@x.test")], "cc": [a("d@x.test")], "outbound": outbound}
    assert people(**mail) == (["c@x.test"], [])
    assert people(**mail, reply_all=True) == (["c@x.test"], ["d@x.test"])
    assert people(**{**mail, "to": [a("me@h.test")]}) == (["d@x.test"], [])


@pytest.mark.parametrize("reply_to", [[], [a("me@h.test")]])
@pytest.mark.parametrize("outbound", [True, False])
def test_note_to_oneself(outbound: bool, reply_to: list[Address]) -> None:
    note = {"sender": a("me@h.test"), "reply_to": reply_to, "outbound": outbound}
    assert people(**note, reply_all=True) == (["me@h.test"], [])
    assert people(**note) == (["me@h.test"], [])


@pytest.mark.parametrize("sender", ["me@h.test", "Me@h.test", "me+tag@h.test"])
def test_a_contact_form_that_writes_as_oneself_is_answered_to_its_visitor(sender: str) -> None:
    form = {"sender": a(sender, "Form"), "reply_to": [a("visitor@x.test")]}
    assert people(**form) == (["visitor@x.test"], [])
    assert people(**form, cc=[a("d@x.test")], reply_all=True) == (["visitor@x.test"], ["d@x.test"])
    # what one sent oneself with a Reply-To is followed up to those who got it
    assert people(**form, outbound=True, cc=[a("d@x.test")]) == (["d@x.test"], [])


def test_a_reply_to_that_is_of_no_use_falls_back_to_from() -> None:
    for odd in ("me@h.test", "nobody", "ü@x.test", "a@b..c", "a@[127.0.0.1]", "@", ""):
        assert people(reply_to=[a(odd)]) == (["bob@x.test"], [])
        assert people(reply_to=[a(odd), a("visitor@x.test")], reply_all=True) == (["visitor@x.test"], [])
    assert people(sender=a("me@h.test"), reply_to=[a("visitor@x_y")]) == ([], [])


def test_who_cannot_be_written_to_is_left_out() -> None:
    odd = [
        a("broken@"),
        a("用户@例え.test"),
        a("user@sub_domain.test"),
        a("eva..s.@x.test"),
        a("d@bücher.test"),
    ]
    assert people(to=odd[:2], cc=odd[2:], reply_all=True) == (
        ["bob@x.test"],
        ["eva..s.@x.test", "d@xn--bcher-kva.test"],
    )
    assert people(sender=a("nobody"), cc=odd, reply_all=True)[0] == []
    assert people(sender=None) == ([], [])


@given(st.text(max_size=40), st.text(max_size=20))
def test_whoever_is_answered_can_be_given_as_a_recipient(name: str, local: str) -> None:
    for email in (f"{local}@x.test", f'"{local}"@x.test', local, "bob@x.test"):
        for one in reply_recipients(sender=Address(name, email), own=()).to:
            assert parse_user_address(str(one)) == one


def test_quotations() -> None:
    mail = original(text="one\n\ntwo", html="<p>one</p>", subject="S")
    assert quote_text(mail, "new").endswith("> one\n>\n> two\n")
    assert "Bob <bob@x.test> wrote:" in quote_text(mail, "new")
    assert "<p>one</p></blockquote>" in quote_html(mail, "<p>new</p>")
    assert "Bob &lt;bob@x.test&gt;" in quote_html(mail, "")
    assert "From: Bob <bob@x.test>" in forward_text(mail, "see")
    assert "&lt;script&gt;" in forward_html(original(text="<script>"), "")
    assert "&lt;b&gt;" in forward_html(mail._replace(sender=a("b@x.test", "<b>")), "")
