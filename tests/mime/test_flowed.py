"""format=flowed (RFC 3676)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.flowed import unflow
from gateway.mime.parse import parse


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("one \ntwo \nthree\nfour", "one two three\nfour"),
        ("> one \n> two\n>> three \n>> four\nfive", "> one two\n>> three four\nfive"),
        ("> one \ntwo", "> one \ntwo"),
        ("words \n-- \nBob \nof Acme", "words \n-- \nBob of Acme"),
        (" From here\n >not quoted", "From here\n >not quoted"),
        ("one\n \n\ntwo ", "one\n\n\ntwo "),
        (">\n> \n>one", ">\n>\n> one"),
        ("", ""),
    ],
)
def test_flowed_lines_are_joined(text: str, joined: str) -> None:
    assert unflow(text) == joined


def test_a_space_that_is_no_part_of_the_text_is_left_out() -> None:
    assert (
        unflow("https://acme.test/a/ \nb?c=1 \n&d=2\nend", delsp=True) == "https://acme.test/a/b?c=1&d=2\nend"
    )


def test_a_flowed_mail_is_read_joined() -> None:
    head = "From: a@b.test\r\nContent-Type: text/plain; charset=utf-8; Format=Flowed; DelSp=Yes\r\n\r\n"
    link = "https://acme.test/verify?token=Zt8kQ2vL x9RmN4pW7sYb".replace(" ", " \r\n")
    got = parse(f"{head}Verify your email address: \r\n {link}\r\n\r\nAcme\r\n".encode())
    assert got.one_time_link == "https://acme.test/verify?token=Zt8kQ2vLx9RmN4pW7sYb"
    fixed = "From: a@b.test\n\none \ntwo\n"
    assert parse(fixed.encode()).text == "one \ntwo\n"


@given(st.lists(st.sampled_from(["> ", ">", " ", "-- ", "a", "b ", "\n", "\n>"]), max_size=40))
def test_no_word_is_lost_or_made(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert "".join(unflow(text).replace(">", "").split()) == "".join(text.replace(">", "").split())
