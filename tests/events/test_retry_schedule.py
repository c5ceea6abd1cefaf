from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.schedule import MAX_RETRY_AFTER, SPAN, WAITS, Outcome, next_try, read_retry_after

NOW = 1_795_000_000.0
LAST = len(WAITS)


def waited(number: int, **more: Any) -> float:
    delay = next_try(number, now=NOW, **more).delay
    assert delay is not None
    return delay


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=LAST, max_size=LAST))
def test_the_whole_span_is_at_least_76_hours_whatever_the_jitter(chances: list[float]) -> None:
    total = sum(waited(n + 1, status=500, chance=lambda c=c: c) for n, c in enumerate(chances))
    assert 76 * 3600 <= SPAN <= total <= SPAN * 1.1


def test_it_ends() -> None:
    assert next_try(LAST, now=NOW).delay is not None
    assert next_try(LAST + 1, now=NOW) == Outcome(None)
    assert next_try(LAST + 1, now=NOW, retry_after="5") == Outcome(None)
    with pytest.raises(ValueError, match="try"):
        next_try(0, now=NOW)


def test_the_first_tries_come_quickly_and_waits_never_shrink() -> None:
    assert waited(1) < 6
    assert waited(2) < 35
    assert list(WAITS) == sorted(WAITS)


@given(st.floats(0, 3600), st.floats(0, 1, exclude_max=True))
def test_an_endpoint_down_up_to_an_hour_is_met_within_31_minutes(down: float, luck: float) -> None:
    at, tries = 0.0, 1
    while at < down:
        at += waited(tries, chance=lambda: luck)
        tries += 1
    assert at - down <= 31 * 60
    assert tries <= 12


def test_waits_are_spread() -> None:
    assert len({waited(6) for _ in range(50)}) > 40


@pytest.mark.parametrize("status", [None, 301, 302, 307, 400, 401, 404, 408, 429, 500, 503])
def test_every_failure_but_gone_is_tried_again(status: int | None) -> None:
    made = next_try(1, status=status, now=NOW)
    assert made.delay is not None
    assert not made.disable


@pytest.mark.parametrize("number", [1, 5, LAST, LAST + 1])
def test_gone_switches_off_at_once(number: int) -> None:
    assert next_try(number, status=410, retry_after="5", now=NOW) == Outcome(None, disable=True)


@pytest.mark.parametrize("value", ["120", " 120 ", formatdate(NOW + 120, usegmt=True)])
def test_retry_after_is_honoured_within_a_tenth(value: str) -> None:
    for _ in range(20):
        assert 120 <= waited(1, status=429, retry_after=value) <= 132


def test_retry_after_cannot_shorten_a_wait_nor_stop_the_queue() -> None:
    assert waited(8, status=429, retry_after="1") >= 3600
    assert waited(1, status=503, retry_after="999999999") <= MAX_RETRY_AFTER * 1.1
    assert waited(1, status=503, retry_after="Fri, 31 Dec 9999 23:59:59 GMT") <= MAX_RETRY_AFTER * 1.1
    assert waited(1, status=503, retry_after="9" * 60) <= MAX_RETRY_AFTER * 1.1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("9" * 100, None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("0", 0.0),
        ("3600", 3600.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        (formatdate(NOW + 60, usegmt=True), 60.0),
        (formatdate(NOW + 60).replace("-0000", "").strip(), 60.0),
    ],
)
def test_reading_retry_after(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds


@given(st.text(max_size=70))
def test_any_retry_after_is_survived(value: str) -> None:
    found = read_retry_after(value, NOW)
    assert found is None or found >= 0
    assert waited(1, retry_after=value) >= 5


def test_scale_multiplies_every_wait() -> None:
    still = {"chance": lambda: 0.0, "scale": 1 / 60}
    assert waited(1, **still) == pytest.approx(5 / 60)
    assert waited(1, retry_after="120", **still) == pytest.approx(2)
