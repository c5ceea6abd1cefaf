"""What matches: a sender that cannot be feigned, subjects and texts in any script, expressions in linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.core.errors import Invalid
from gateway.core.mail.wait_match import Match
from gateway.mime.types import Address
from gateway.records.ids import MessageId
from gateway.records.mail import MessageText


def _accepts(match: Match, name: str = "", email: str = "", subject: str = "") -> bool:
    return match.accepts_head(Address(name, email) if email else None, subject)


def _texts(text: str | None, extracted_text: str | None = None) -> MessageText:
    return MessageText(MessageId("m"), text=text, extracted_text=extracted_text)


@pytest.mark.parametrize(
    ("wanted", "name", "email", "matches"),
    [
        ("ann@bank.test", "Ann", "ann@bank.test", True),
        (" ANN@Bank.Test ", "Ann", "ann@bank.test", True),
        ("ann@bank.test", "ann@bank.test", "mallory@evil.test", False),
        ("ann@bank.test", "", "ann@bank.test.evil.test", False),
        ("ann@bank.test", "", "joann@bank.test", False),
        ("@bank.test", "", "ann@bank.test", True),
        ("@bank.test", "", "ann@notbank.test", False),
        ("@bank.test", "x@bank.test", "mallory@evil.test", False),
        ("@bank.test", "", "ann@bank.test.evil.test", False),
        ("ann@", "", "ann@bank.test", True),
        ("bank", "", "ann@bank.test", True),
        ("müller", "Anna MÜLLER", "a@b.test", True),
        ("mu\u0308ller", "Anna Müller", "a@b.test", True),
        ("", "", "", True),
        ("ann", "", "", False),
    ],
)
def test_senders(wanted: str, name: str, email: str, matches: bool) -> None:
    assert _accepts(Match(sender=wanted), name, email) is matches


@pytest.mark.parametrize(
    ("wanted", "subject", "matches"),
    [
        ("code", "Your CODE", True),
        ("überweisung", "Ihre ÜBERWEISUNG", True),
        ("確認コード", "【確認コード】のお知らせ", True),
        ("/^your code$/", "Your Code", True),
        ("/^code/", "Your code", False),
        ("/码|コード/i", "確認コード", True),
        ("/var/log", "what fills /var/log", True),
        ("/", "either/or", True),
        ("//", "see http://a.test", True),
        ("a.c", "abc", False),
        ("50%", "50% off", True),
    ],
)
def test_subjects(wanted: str, subject: str, matches: bool) -> None:
    assert _accepts(Match(subject=wanted), subject=subject) is matches


def test_texts() -> None:
    match = Match(text="Straße")
    assert match.accepts_text(_texts("in der STRASSE"))
    assert not match.accepts_text(_texts("elsewhere"))
    assert not match.accepts_text(_texts(None))
    assert match.accepts_text(_texts(None, "Straße 5"))


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", ".*.*.*.*.*.*.*x"])
def test_an_expression_takes_linear_time(pattern: str) -> None:
    # backtracking takes years: the test would never end
    _accepts(Match(subject=f"/{pattern}/"), subject="a" * 20_000 + "!")


@pytest.mark.parametrize(
    "pattern", ["(", "a{1001}", "((a{1000}){1000}){1000}", "(?=a)", r"(a)\1", "[z-a]", "*"]
)
def test_what_is_no_expression_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(Invalid) as refused:
        Match(subject=f"/{pattern}/")
    assert refused.value.field == "subject"
    assert "RE2" in (refused.value.fix or "")


@given(some.text(), some.text(), some.text())
def test_any_text_is_a_condition(sender: str, subject: str, text: str) -> None:
    try:
        match = Match(sender, subject, text)
    except Invalid:  # by chance an expression that is none
        return
    _accepts(match, "n", "a@b.test", "s")
    match.accepts_text(_texts("t"))
