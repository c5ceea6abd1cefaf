"""B4 for every subject there is: one ``Re:``, whatever stood there, and always one that can be sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sending.reply import one_line
from gateway.mime.header_rules import MAX_SUBJECT, check_subject
from gateway.mime.reply.reply import reply_subject

PREFIXES = st.sampled_from(["Re: ", "RE:", "re : ", "Re[3]: ", "Aw: ", "SV:", "回复：", "Re: Re: ", "re(2):"])


@given(st.text())
def test_one_prefix_and_no_other(subject: str) -> None:
    answer = reply_subject(one_line(subject))
    assert answer == "Re:" or answer.startswith("Re: ")
    assert reply_subject(answer) == answer


@given(PREFIXES, st.text())
def test_a_prefix_that_is_there_adds_nothing(prefix: str, subject: str) -> None:
    assert reply_subject(one_line(prefix + subject)) == reply_subject(one_line(subject))


@given(st.text(max_size=3000))
def test_what_came_in_can_be_answered(subject: str) -> None:
    answer = reply_subject(one_line(subject))
    assert check_subject(answer) == answer
    assert len(answer) <= MAX_SUBJECT
