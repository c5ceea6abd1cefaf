"""Which exchanges are programs answering each other, by their speed alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.guard.auto_submitted import Marking, auto_submitted
from gateway.core.guard.rounds import Hold, Pace, base_subject, hold, rounds
from gateway.records.exchanges import Turn
from gateway.records.ids import ThreadId

S = 1_000_000
PACE = Pace(15, 120)
THREAD, OTHER = ThreadId("t"), ThreadId("u")


def talk(
    *gaps: float, chars: int = 60, marked: bool = False, threads: bool = True
) -> tuple[list[Turn], Turn]:
    """We write first, and then they and we in turn, each so many seconds after the one before; the last is new."""
    at, turns = 1_000_000_000 * S, list[Turn]()
    for number, gap in enumerate((0, *gaps)):
        at += int(gap * S)
        inbound = number % 2 == 1
        turns.append(
            Turn(
                at,
                inbound,
                chars,
                THREAD if threads else ThreadId(f"t{number}"),
                f"number {number}" if not threads else "Re: hello",
                marked=marked and inbound,
                left=None if inbound else at,
            )
        )
    return turns[:-1], turns[-1]


@pytest.mark.parametrize(
    ("gaps", "count"),
    [
        ((), 0),
        ((2, 2), 1),
        ((2, 2, 2, 2, 2, 2), 3),
        ((20, 20, 20, 20, 20, 20), 3),  # 60 characters are not written in 20 s
        ((40, 2, 40, 2, 40, 2), 0),  # a person, and an agent that answers at once
        ((2, 200, 2, 200, 2, 200), 0),  # an agent that takes its time
        ((2, 2, 2, 2, 300, 2), 0),  # it was a person at last
        ((300, 2, 2, 2, 2, 2), 2),
    ],
)
def test_rounds_are_counted_by_their_speed(gaps: tuple[float, ...], count: int) -> None:
    assert rounds(*talk(*gaps), PACE) == count


def test_who_writes_long_answers_soon_is_no_person() -> None:
    assert rounds(*talk(*[60.0] * 6, chars=800), PACE) == 3
    assert rounds(*talk(*[60.0] * 6, chars=20), PACE) == 0
    assert rounds(*talk(*[130.0] * 6, chars=80_000), PACE) == 0


def test_what_says_that_a_program_wrote_it_counts_at_any_speed() -> None:
    assert rounds(*talk(5, 600, 3, 1200, 4, 900, marked=True), PACE) == 3
    # but not what has nothing to do with it: an alert each hour to a system that says that it got it
    assert rounds(*talk(5, 3600, 5, 3600, 5, 3600, marked=True, threads=False), PACE) == 0


def test_a_hold_grows_with_each_round() -> None:
    found = [hold(*talk(*[2.0] * (2 * n)), PACE, 3, 120, 14_400) for n in range(12)]
    assert found[:3] == [None, None, None]
    assert found[3:6] == [Hold(3, 120), Hold(4, 240), Hold(5, 480)]
    assert found[11] == Hold(11, 14_400)


def test_a_program_whose_threads_are_all_new_is_held_later() -> None:
    assert hold(*talk(*[2.0] * 16, threads=False, marked=True), PACE, 3, 120, 14_400) is None
    assert hold(*talk(*[2.0] * 18, threads=False, marked=True), PACE, 3, 120, 14_400) == Hold(9, 120)


def test_a_stream_of_mail_both_ways_is_no_loop() -> None:
    assert hold(*talk(*[0.1] * 200, threads=False), PACE, 3, 120, 14_400) is None


def test_after_a_hold_it_is_reckoned_from_when_the_message_left() -> None:
    turns, new = talk(*[2.0] * 6)
    waits = Turn(new.at, False, 60, THREAD, "Re: hello")
    again = Turn(new.at + S, False, 60, THREAD, "Re: hello")
    assert rounds([*turns, waits], again, PACE) == 3  # a second message meanwhile waits as the first
    gone = Turn(new.at, False, 60, THREAD, "Re: hello", left=new.at + 120 * S)
    assert rounds([*turns, gone], again, PACE) == 0  # about something else
    answered = Turn(new.at + 123 * S, True, 60, THREAD, "Re: hello")
    fourth = Turn(new.at + 125 * S, False, 60, THREAD, "Re: hello")
    assert rounds([*turns, gone, answered], fourth, PACE) == 4
    person = Turn(new.at + 200 * S, True, 60, THREAD, "Re: hello")
    assert rounds([*turns, gone, person], Turn(new.at + 202 * S, False, 60, THREAD, ""), PACE) == 0


def test_what_else_goes_to_a_peer_waits_behind_what_is_held_back() -> None:
    turns, new = talk(*[2.0] * 6)
    waits = Turn(new.at, False, 60, THREAD, "Re: hello", due=new.at + 120 * S)
    other = Turn(new.at + 20 * S, False, 60, OTHER, "Invoice")
    assert hold([*turns, waits], other, PACE, 3, 120, 14_400) == Hold(0, 100)
    gone = Turn(new.at, False, 60, THREAD, "Re: hello", left=new.at + 120 * S)
    assert hold([*turns, gone], other, PACE, 3, 120, 14_400) is None


def test_the_same_subject_is_an_answer_only_where_it_says_so() -> None:
    turns, new = talk(*[2.0] * 6)
    for subject, found in (("Hello", None), ("Re: Hello", Hold(3, 120))):
        assert hold(turns, Turn(new.at, False, 60, OTHER, subject), PACE, 3, 120, 14_400) == found


def test_several_messages_on_either_side_are_one_round() -> None:
    turns, new = talk(*[2.0] * 6)
    doubled = [one for turn in turns for one in (turn, turn)]
    assert rounds(doubled, new, PACE) == 3


def test_what_an_inbox_sends_itself_counts_in_its_thread_alone() -> None:
    turns, new = talk(*[2.0] * 6)
    echoes = [Turn(t.at, t.inbound, t.chars, OTHER, t.subject, echo=t.inbound, left=t.left) for t in turns]
    assert hold(echoes, new, PACE, 3, 120, 14_400) is None
    answered = [Turn(t.at, t.inbound, t.chars, THREAD, t.subject, echo=t.inbound, left=t.left) for t in turns]
    assert hold(answered, new, PACE, 3, 120, 14_400) == Hold(3, 120)


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Re: AW[2]: Fwd: Offer", "offer"),
        ("RE : Ihr  Angebot", "ihr angebot"),
        ("回复：你好", "你好"),
        ("Regarding: this", "regarding: this"),
        ("", ""),
    ],
)
def test_answers_have_the_subject_of_what_they_answer(subject: str, base: str) -> None:
    assert base_subject(subject) == base


def test_a_hostile_subject_takes_no_time() -> None:
    begun = time.process_time()
    for subject in ("re:" * 300, " " * 998, "re[1" * 250, "fwd" * 300):
        base_subject(subject)
    assert time.process_time() - begun < 1.0


_TURNS = st.lists(
    st.builds(
        Turn,
        at=st.integers(0, 100 * S),
        inbound=st.booleans(),
        chars=st.integers(0, 500),
        thread_id=st.sampled_from([THREAD, OTHER]),
        subject=st.sampled_from(["a", "Re: a", ""]),
        marked=st.booleans(),
        echo=st.booleans(),
        left=st.none() | st.integers(0, 200 * S),
    ),
    max_size=30,
)


@given(_TURNS, st.integers(0, 100 * S))
def test_any_exchange_has_at_most_a_round_for_each_answer(turns: list[Turn], now: int) -> None:
    found = rounds(turns, Turn(now, False, 10, THREAD, "a"), PACE)
    assert 0 <= found <= sum(one.inbound for one in turns)


@pytest.mark.parametrize(
    ("marking", "given", "reply", "made"),
    [
        ("off", {}, True, {}),
        ("replies", {}, True, {"Auto-Submitted": "auto-replied"}),
        ("replies", {}, False, {}),
        ("all", {}, True, {"Auto-Submitted": "auto-replied"}),
        ("all", {}, False, {"Auto-Submitted": "auto-generated"}),
        ("all", {"auto-submitted": "no"}, True, {}),
    ],
)
def test_the_header_of_programs(
    marking: Marking, given: dict[str, str], reply: bool, made: dict[str, str]
) -> None:
    assert auto_submitted(marking, given, reply=reply) == made
