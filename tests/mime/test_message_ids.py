"""Message-IDs as programs write them: without brackets, with half of them, among words (RFC 5322 §3.6.4, §4.5.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.parse import message_ids, parse


def _mail(*fields: str) -> bytes:
    return "\r\n".join(("From: Vera <vera@x.test>", "To: agent@y.test", *fields, "", "Text.")).encode()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<a@x>", ["<a@x>"]),
        ("a@x", ["<a@x>"]),
        ("a@x b@x", ["<a@x>", "<b@x>"]),
        ("a@x, <b@x>;c@x", ["<a@x>", "<b@x>", "<c@x>"]),
        ("<a@x><b@x>", ["<a@x>", "<b@x>"]),
        ("<a@x", ["<a@x>"]),
        ("a@x>", ["<a@x>"]),
        ("< a@x >", ["<a@x>"]),
        ("<a@x> a@x", ["<a@x>"]),
        ("<no-at-sign>", ["<no-at-sign>"]),
        ("no-at-sign", []),
        ("", []),
        ("Message from Vera <vera@x.test> of Monday, <a@x>", ["<vera@x.test>", "<a@x>"]),
        ("Your message of Monday to vera@x.test", []),
        ("<a@x> (from vera@x.test)", ["<a@x>"]),
    ],
)
def test_ids_are_read_with_brackets_and_without(written: str, read: list[str]) -> None:
    assert message_ids(written) == read


@given(st.text(max_size=300))
def test_every_id_has_brackets_and_no_space(text: str) -> None:
    for one in message_ids(text):
        assert (one[0], one[-1], len(one.split())) == ("<", ">", 1)
        assert not set("<>") & set(one[1:-1])


@pytest.mark.parametrize("field", ["In-Reply-To", "References"])
def test_an_id_is_the_same_with_brackets_and_without(field: str) -> None:
    root = parse(_mail("Message-ID: root.1@x.test"))
    for written in ("root.1@x.test", "<root.1@x.test>"):
        answer = parse(_mail(f"{field}: {written}"))
        assert [*answer.in_reply_to, *answer.references] == [root.message_id] == ["<root.1@x.test>"]


@pytest.mark.parametrize("written", ["vera@x.test", "<Vera@X.test>", "agent@y.test"])
def test_an_address_of_the_mail_is_no_id_that_it_answers(written: str) -> None:
    answer = parse(_mail(f"In-Reply-To: {written}", f"References: {written} <a@x>"))
    assert (answer.in_reply_to, answer.references) == ([], ["<a@x>"])
