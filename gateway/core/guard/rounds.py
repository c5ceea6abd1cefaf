"""Automatic rounds: an inbox answers somebody who answers it, faster than people write.

A round is a message that we sent, what came for it, and our answer to that. It is automatic when both answers came
sooner than a person can read and write. So a person who writes with an agent that answers at once makes no such
round, nor does an agent that takes its time. What says that a program wrote it (an out-of-office reply) counts at any
speed, where it is answered in its thread. Mail of a mailing list counts by its speed. What an inbox sends itself counts
where it answers that in the same thread; what a list sends back of its own is nobody's answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.records.exchanges import Turn

_PREFIX = re.compile(
    r"\s*(?:re|aw|fwd?|wg|sv|vs|antw|tr|rif|odp|ref|r|回复|答复|返信)(?:\[\d{1,3}\])?\s*[:：]", re.I
)
_MOST_PREFIXES = 20
_SECOND = 1_000_000
_CHARS_A_SECOND = 6  # a fast typist's
_PEER_TIMES = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a person answers: never within ``base`` seconds, nor a second sooner for every six characters of the
    answer; what takes longer than ``most`` seconds may be anybody's."""

    base: float
    most: float

    def is_programs(self, waited: int, chars: int) -> bool:
        """Whether only a program answers so soon: after ``waited`` µs, with ``chars`` characters."""
        return waited <= min(self.base + chars / _CHARS_A_SECOND, self.most) * _SECOND


@dataclass(frozen=True, slots=True)
class Hold:
    """A message must wait for ``seconds``: after ``rounds`` automatic ones, or with 0 behind another that does."""

    rounds: int
    seconds: float


def hold(
    turns: Sequence[Turn], new: Turn, pace: Pace, limit: int, first: float, longest: float
) -> Hold | None:
    """Whether a message must wait, after what was written before it (the oldest first).

    After ``limit`` automatic rounds in its thread, or with its subject, it waits ``first`` seconds, after each further
    round twice as long, up to ``longest``. With a peer whose messages have nothing to do with each other three times as
    many rounds are let pass, and only those count in which it says that a program wrote. What else goes to somebody for
    whom a message waits already goes no sooner than that one. None: it may go.
    """
    subject = base_subject(new.subject)
    if subject == _spaced(new.subject):
        subject = ""  # it answers nothing by its subject
    talk = [
        one
        for one in turns
        if one.thread_id == new.thread_id
        or (subject and not one.echo and base_subject(one.subject) == subject)
    ]
    # a stream of mail both ways is no loop, however fast; without a common thread only a program's own word counts
    others = [replace(one, marked=False) for one in turns if not one.inbound or (one.marked and not one.echo)]
    for found, most in ((rounds(talk, new, pace), limit), (rounds(others, new, pace), _PEER_TIMES * limit)):
        if found >= most:
            return Hold(found, min(first * 2.0 ** min(found - most, 30), longest))
    due = max((one.due for one in turns if one.due is not None), default=new.at)
    return Hold(0, (due - new.at) / _SECOND) if due > new.at else None


def rounds(turns: Sequence[Turn], new: Turn, pace: Pace) -> int:
    """How many automatic rounds in a row end with ``new``."""
    came = _last_inbound(turns, len(turns))
    if came is None:
        return 0
    since = turns[came + 1 :]
    if since and all(one.left is not None for one in since):
        return 0  # answered already: this one is about something else
    answer, count = since[0] if since else new, 0
    while True:
        got = turns[came]
        at_any_speed = got.marked and answer.thread_id == got.thread_id
        if not at_any_speed and not pace.is_programs(answer.at - got.at, answer.chars):
            return count
        sent = _last_sent(turns, came, got.at)
        if sent is None:
            return count
        waited = got.at - (turns[sent].left or turns[sent].at)
        if not got.marked and not pace.is_programs(waited, got.chars):
            return count
        count += 1
        came = _last_inbound(turns, sent)
        if came is None:
            return count
        answer = turns[came + 1]


def base_subject(subject: str) -> str:
    """A subject without what answers and forwarded mail have before it."""
    for _ in range(_MOST_PREFIXES):
        found = _PREFIX.match(subject)
        if found is None:
            break
        subject = subject[found.end() :]
    return _spaced(subject)


def _spaced(text: str) -> str:
    return " ".join(text.split()).casefold()


def _last_inbound(turns: Sequence[Turn], before: int) -> int | None:
    return next((at for at in range(before - 1, -1, -1) if turns[at].inbound), None)


def _last_sent(turns: Sequence[Turn], before: int, at: int) -> int | None:
    """The last message that had left when something came at ``at``, which is known to the second."""
    for index in range(before - 1, -1, -1):
        one = turns[index]
        if not one.inbound and one.left is not None and one.left <= at + _SECOND:
            return index
    return None
