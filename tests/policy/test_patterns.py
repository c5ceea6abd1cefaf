"""Patterns of recipients: what they mean, and what two sets of them have in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Invalid
from gateway.core.policy.patterns import check_pattern, common, means, within

_DOMAINS = st.sampled_from(["x.test", "a.x.test", "b.a.x.test", "y.test", "xx.test"])
_ADDRESSES = st.builds(lambda name, domain: f"{name}@{domain}", st.sampled_from(["ann", "bob"]), _DOMAINS)
_PATTERNS = st.one_of(_ADDRESSES, _DOMAINS, _DOMAINS.map("*.{}".format), st.just("*"))
_SETS = st.lists(_PATTERNS, max_size=4)


@pytest.mark.parametrize(
    ("pattern", "meant", "others"),
    [
        ("ann@x.test", ["ann@x.test", "Ann@X.test"], ["bob@x.test", "ann@a.x.test", "joann@x.test"]),
        ("x.test", ["ann@x.test"], ["ann@a.x.test", "ann@xx.test"]),
        ("*.x.test", ["ann@x.test", "ann@b.a.x.test"], ["ann@xx.test", "ann@test"]),
        ("*", ["ann@x.test", "bob@y.test"], []),
        ("xn--bcher-kva.test", ["ann@bücher.test"], ["ann@bucher.test"]),
    ],
)
def test_a_pattern_means_an_address(pattern: str, meant: list[str], others: list[str]) -> None:
    assert all(means([pattern], one) for one in meant)
    assert not any(means([pattern], one) for one in others)


@given(_SETS, _SETS, _ADDRESSES)
def test_what_two_sets_have_in_common_is_what_both_mean(
    some: list[str], others: list[str], address: str
) -> None:
    assert means(common(some, others), address) == (means(some, address) and means(others, address))


@given(_SETS, _SETS, _ADDRESSES)
def test_a_set_within_another_means_nobody_else(some: list[str], others: list[str], address: str) -> None:
    if within(some, others) and means(some, address):
        assert means(others, address)
    assert within(common(some, others), others)


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("Ann@X.test", "ann@x.test"),
        (" @x.test", "x.test"),
        ("*.Bücher.test", "*.xn--bcher-kva.test"),
        (" * ", "*"),
    ],
)
def test_a_pattern_is_kept_in_one_spelling(given_text: str, kept: str) -> None:
    assert check_pattern(given_text, "f") == kept


_NO_PATTERNS = ["", "@", "a b@x.test", "x..test", "*.", "**.x.test", "a@*.x.test", "<a@x.test>", "a" * 400]


@pytest.mark.parametrize("text", _NO_PATTERNS)
def test_what_is_no_pattern_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_pattern(text, "sending.only[3]")
    assert refused.value.field == "sending.only[3]"
    assert refused.value.fix
