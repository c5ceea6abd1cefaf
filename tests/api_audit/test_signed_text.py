"""Signed text comes back as it was, and nothing else does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core import signed_text

SECRET = b"s" * 32
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \x00é"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_was_signed_is_read(text: str) -> None:
    token = signed_text.sign(SECRET, "a purpose", text)
    assert signed_text.read(SECRET, "a purpose", token) == text
    assert signed_text.read(SECRET, "another purpose", token) is None
    assert signed_text.read(b"t" * 32, "a purpose", token) is None


@given(st.integers(0, 200), st.sampled_from(ALPHABET))
def test_a_token_with_one_other_character_is_refused(place: int, other: str) -> None:
    token = signed_text.sign(SECRET, "a purpose", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    at = place % len(token)
    changed = token[:at] + other + token[at + 1 :]
    assert (signed_text.read(SECRET, "a purpose", changed) is None) == (changed != token)


@given(st.text(max_size=3000))
def test_any_other_text_is_refused(token: str) -> None:
    assert signed_text.read(SECRET, "a purpose", token) is None
